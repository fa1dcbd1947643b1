"""Asterisk's manager interface as a stranger meets it: logins over TCP and over HTTP."""

import hashlib
import http.client
import socket
from urllib.parse import quote

import net as lab_net

AMI_PORT, HTTP_PORT, HTTPS_PORT = 5038, 8088, 8089


class LocalSession:
    """A TCP session with the manager at an address of this namespace; the banner has been read."""

    def __init__(self, server, sock=None, timeout=4.0):
        self.sock = sock or socket.socket(lab_net.family_of(server), socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect((server, AMI_PORT))
        self.rest = b""
        self.banner = self._until(b"\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _until(self, end):
        try:
            while end not in self.rest:
                data = self.sock.recv(65536)
                if not data:
                    break
                self.rest += data
        except OSError:
            pass
        found, _, self.rest = self.rest.partition(end)
        return found.decode("utf-8", "replace")

    def send(self, **fields):
        self.sendall("".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n")

    def sendall(self, text):
        try:
            self.sock.sendall(text.encode())
        except OSError:
            pass  # the server has hung up on us, which is what an attacker sees too

    def read(self):
        """The next packet (answer or event) as a dict; empty when the server hung up."""
        lines = self._until(b"\r\n\r\n").split("\r\n")
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    def login(self, user, password):
        self.send(Action="Login", Username=user, Secret=password)
        return self.read().get("Response") == "Success"

    def login_md5(self, user, password):
        self.send(Action="Challenge", AuthType="MD5")
        challenge = self.read().get("Challenge", "")
        key = hashlib.md5((challenge + password).encode()).hexdigest()
        self.send(Action="Login", AuthType="MD5", Username=user, Key=key)
        return self.read().get("Response") == "Success"


class Session(LocalSession):
    """The same from a client's address. Use as a context manager."""

    def __init__(self, lab, source, role, timeout=4.0):
        server = lab_net.server_address(role, lab_net.family_of(source))
        super().__init__(server, lab.socket(source, socket.SOCK_STREAM), timeout)


def http_get(lab, source, role, path, headers=None):
    """The status of a GET from an address, 0 when the server hung up. The path is sent as it is."""
    server = lab_net.server_address(role, lab_net.family_of(source))
    connection = http.client.HTTPConnection(server, HTTP_PORT)
    connection.sock = lab.socket(source, socket.SOCK_STREAM, timeout=6.0)
    connection.sock.connect((server, HTTP_PORT))
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def http_login(lab, source, role, user, secret="wrong", way="rawman"):
    return http_get(lab, source, role, f"/{way}?action=login&username={quote(user)}&secret={quote(secret)}")
