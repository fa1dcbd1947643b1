"""Connections to a SIP server that are more than a plain socket: TLS, and WebSockets (RFC 6455, RFC 7118)."""

import base64
import os
import socket
import ssl

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


def over_tls(sock):
    """The socket with TLS over it. The lab's certificate vouches for nobody, so it is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


def connect(sock, server, port, transport):
    """Connects a fresh socket and returns what to talk over: something with send, recv, settimeout and close."""
    try:
        sock.connect((server, port))
        if transport in ("tls", "wss"):
            sock = over_tls(sock)
        return WebSocket(sock, server, port) if transport in ("ws", "wss") else sock
    except OSError:
        sock.close()
        raise


class WebSocket:
    """A connection whose messages are whole: send() is one message, so is what recv() returns."""

    def __init__(self, sock, server, port):
        self._sock, self._rest = sock, b""
        host = f"[{server}]" if ":" in server else server
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._rest:
            self._fill()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionRefusedError(head.decode("utf-8", "replace"))

    def _fill(self):
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionResetError("the server hung up")
        self._rest += data

    def _take(self, size):
        while len(self._rest) < size:
            self._fill()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def send(self, data):
        """One text message in one frame. Clients mask what they send; the mask may as well be a fixed one."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        mask = b"\x5a\xa5\x3c\xc3"
        self._sock.sendall(b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def recv(self, _most):
        """The next message; empty when the server says goodbye."""
        while True:
            kind, size = self._take(2)
            if size in (126, 127):
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            data = self._take(size)
            if kind & 0x0F in (0, 1, 2):
                return data
            if kind & 0x0F == 8:
                return b""

    def getsockname(self):
        return self._sock.getsockname()

    def settimeout(self, seconds):
        self._sock.settimeout(seconds)

    def close(self):
        self._sock.close()


def garbage(lab, source, server, port, data=b"\x16\x03\x01nonsense" * 8):
    """Bytes that are no TLS to a port that expects it; waits for the server to hang up."""
    with lab.socket(source, socket.SOCK_STREAM) as sock:
        sock.connect((server, port))
        try:
            sock.sendall(data)
            while sock.recv(4096):
                pass
        except OSError:
            pass


def handshake(lab, source, server, port, context):
    """A handshake as a context has it, to the end it comes to."""
    with lab.socket(source, socket.SOCK_STREAM) as sock:
        sock.connect((server, port))
        try:
            context.wrap_socket(sock, server_hostname=server).close()
        except OSError:
            pass


def no_common_cipher(lab, source, server, port):
    """As a scanner of ciphers does: offers nothing but those that do not encrypt."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("NULL:@SECLEVEL=0")
    handshake(lab, source, server, port, context)


def distrust(lab, source, server, port):
    """As a phone does that was not told whom to trust: refuses the server's certificate and says so."""
    handshake(lab, source, server, port, ssl.create_default_context())
