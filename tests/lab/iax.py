"""Raw IAX2 (RFC 5456): enough frames to register, to call, to be refused, and to forge.

A full frame is source call | 0x8000, destination call, time, two sequence numbers, type 6 (IAX), subclass;
then information elements: number, length, value.
"""

import hashlib
import socket
import struct
import time

import net as lab_net

NEW, AUTHREQ, AUTHREP, ACK, INVAL = 1, 8, 9, 4, 10
REGREQ, REGAUTH, REGACK, REGREJ, POKE, PONG, CALLTOKEN = 13, 14, 15, 16, 30, 3, 40
CALLED, CALLING, USERNAME, CAPABILITY, FORMAT, VERSION = 1, 2, 6, 8, 9, 11
CHALLENGE, MD5_RESULT, REFRESH, TOKEN = 15, 16, 19, 54
ULAW = struct.pack("!I", 4)


def elements(*pairs):
    return b"".join(bytes([kind, len(value)]) + value for kind, value in pairs)


class Session:
    """One call number towards one server, over UDP. Use as a context manager."""

    def __init__(self, lab, source, role, timeout=1.5):
        self.timeout, self.call, self.peer_call, self.sent, self.heard = timeout, 0x1234, 0, 0, 0
        self.sock = lab.socket(source, socket.SOCK_DGRAM, timeout=timeout)
        self.sock.connect((lab_net.server_address(role, lab_net.family_of(source)), 4569))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def frame(self, subclass, body=b""):
        head = struct.pack("!HHIBBBB", self.call | 0x8000, self.peer_call, 3, self.sent, self.heard, 6, subclass)
        return head + body

    def ask(self, subclass, body=b""):
        """Sends a frame and returns (subclass, elements) of the next answer that is more than an ACK, or None."""
        self.sock.send(self.frame(subclass, body))
        end = time.monotonic() + self.timeout
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(4096)
            except OSError:
                return None
            if len(data) >= 12 and data[0] & 0x80 and data[11] not in (ACK,):
                return data[11], self._take(data)
        return None

    def _take(self, data):
        if data[11] != CALLTOKEN:  # the token comes before there is a call
            self.peer_call = struct.unpack("!H", data[:2])[0] & 0x7FFF
            self.sent, self.heard = self.sent + 1, (data[8] + 1) & 0xFF
        found, rest = {}, data[12:]
        while len(rest) >= 2:
            found[rest[0]], rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        return found

    def begin(self, subclass, *pairs):
        """A first frame with the call token dance; the answer after it."""
        answer = self.ask(subclass, elements(*pairs, (TOKEN, b"")))
        if answer and answer[0] == CALLTOKEN:
            answer = self.ask(subclass, elements(*pairs, (TOKEN, answer[1].get(TOKEN, b""))))
        return answer


def _proof(answer, password):
    return hashlib.md5(answer[1].get(CHALLENGE, b"") + password.encode()).hexdigest().encode()


def register(lab, source, role, user, password):
    """The subclass that ends a registration (REGACK, REGREJ, ...), None without an answer."""
    name, refresh = (USERNAME, user.encode()), (REFRESH, struct.pack("!H", 60))
    with Session(lab, source, role) as session:
        answer = session.begin(REGREQ, name, refresh)
        if answer and answer[0] == REGAUTH:
            proof = (MD5_RESULT, _proof(answer, password))
            answer = session.ask(REGREQ, elements(name, proof, refresh))
        return answer and answer[0]


def call(lab, source, role, number, user="", password=""):
    """The subclass that ends the setting up of a call (ACCEPT, REJECT, ...), None without an answer."""
    pairs = [(VERSION, b"\0\2"), (CALLED, number.encode()), (CALLING, b"5551234")]
    pairs += [(USERNAME, user.encode())] if user else []
    with Session(lab, source, role) as session:
        answer = session.begin(NEW, *pairs, (FORMAT, ULAW), (CAPABILITY, ULAW))
        if answer and answer[0] == AUTHREQ:
            answer = session.ask(AUTHREP, elements((MD5_RESULT, _proof(answer, password))))
        return answer and answer[0]


def without_token(lab, source, role, user):
    """One REGREQ packet that knows nothing of call tokens; the server complains in its log."""
    with Session(lab, source, role, 0.3) as session:
        session.ask(REGREQ, elements((USERNAME, user), (REFRESH, struct.pack("!H", 60))))


def answers(lab, source, role, seconds=1.5):
    """Whether a POKE is answered: a UDP probe that needs no account and leaves no line in the log."""
    with Session(lab, source, role, seconds) as session:
        return session.ask(POKE) is not None
