"""A SIP client of the lab's own: enough of RFC 3261 and RFC 2617 to register, to call and to attack.

Everything goes through Client.request, which also takes the shapes no well-made client would send (other
Call-IDs, header values with quotes, several Via parameters), because attackers do.
"""

import hashlib
import re
import secrets
import socket
import time
from dataclasses import dataclass, field

import streams

T1 = 0.5  # seconds to the first retransmission over UDP


@dataclass
class Message:
    """A request or an answer. headers: lower-case name -> list of values; status is 0 for a request."""

    start: str
    status: int
    headers: dict = field(default_factory=dict)

    def value(self, name):
        return self.headers.get(name, [""])[0]


def parse_message(data):
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
    message = Message(head[0], int(head[0].split()[1]) if head[0].startswith("SIP/2.0 ") else 0)
    for line in head[1:]:
        name, _, value = line.partition(":")
        message.headers.setdefault(name.strip().lower(), []).append(value.strip())
    return message


def _md5(*parts):
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def digest(challenge, method, uri, user, password):
    """The value of an Authorization header for a challenge (RFC 2617, MD5, with qop=auth or without)."""
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.partition(" ")[2]))
    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    first, second = _md5(user, realm, password), _md5(method, uri)
    fields = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5"]
    if "auth" in given.get("qop", ""):
        cnonce = secrets.token_hex(4)
        answer = _md5(first, nonce, "00000001", cnonce, "auth", second)
        fields += [f'cnonce="{cnonce}"', "nc=00000001", "qop=auth"]
    else:
        answer = _md5(first, nonce, second)
    if "opaque" in given:
        fields.append(f'opaque="{given["opaque"]}"')
    return "Digest " + ", ".join([*fields, f'response="{answer}"'])


def session_description(address):
    version = "IP6" if ":" in address else "IP4"
    return (
        f"v=0\r\no=- 1 1 IN {version} {address}\r\ns=-\r\nc=IN {version} {address}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )


class Client:
    """One source address talking to one server over one of streams.TRANSPORTS. Close it after use (context manager)."""

    def __init__(self, lab, source, server, port=5060, transport="udp", timeout=3.0, source_port=0):
        self.server, self.port, self.transport, self.timeout = server, port, transport, timeout
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.sock = streams.connect(lab.socket(source, kind, source_port, timeout), server, port, transport)
        name = self.sock.getsockname()
        self.local = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        self.address = name[0]
        self.domain = f"[{server}]" if ":" in server else server
        self.tag, self.cseq, self._rest = secrets.token_hex(4), 0, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def build(self, method, uri, *, from_="", to="", call_id="", via="", cseq=None, extra=(), body=""):
        """The bytes of a request. from_, to: whole header values without tag; via: parameters appended."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        branch = "z9hG4bK" + secrets.token_hex(6)
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {self.local};rport;branch={branch}{via}",
            "Max-Forwards: 70",
            f"From: {from_};tag={self.tag}",
            f"To: {to}",
            f"Call-ID: {call_id or secrets.token_hex(8)}",
            f"CSeq: {cseq} {method}",
            *extra,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def send(self, data):
        self.sock.send(data)

    def receive(self, seconds):
        """The next message, or None when none came in that time or the server hung up or is unreachable."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except OSError:
                return None
            if self.transport not in ("tcp", "tls"):
                return parse_message(data) if len(data) > 4 else None
            if not data:
                return None
            self._rest += data
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
            size = int(length[1]) if length else 0
            if found and len(rest) >= size:
                self._rest = rest[size:]
                return parse_message(head + found)
        return None

    def exchange(self, data):
        """Sends a request, again after T1 if nothing comes over UDP; the final answer, or None in time."""
        end, cseq = time.monotonic() + self.timeout, parse_message(data).value("cseq")
        heard = False
        while time.monotonic() < end:
            if not heard:
                self.send(data)
            wait = end - time.monotonic() if self.transport != "udp" or heard else min(T1, end - time.monotonic())
            answer = self.receive(wait)
            if answer is None and (self.transport != "udp" or heard):
                return None
            if answer and answer.value("cseq") == cseq:
                heard = True
                if answer.status >= 200:
                    return answer
        return None

    def request(self, method, uri, *, login=None, answer_challenge=True, **parts):
        """A request and its final answer, logging in when asked to.

        login: (user, password) or None. An INVITE's refusal is acknowledged.
        """
        parts.setdefault("call_id", secrets.token_hex(8))
        answer = self.exchange(self.build(method, uri, **parts))
        self._acknowledge(method, uri, answer, parts)
        if not (answer and answer.status in (401, 407) and login and answer_challenge):
            return answer
        kind = "www-authenticate" if answer.status == 401 else "proxy-authenticate"
        name = "Authorization" if answer.status == 401 else "Proxy-Authorization"
        header = f"{name}: {digest(answer.value(kind), method, uri, *login)}"
        again = dict(parts, extra=(*parts.get("extra", ()), header))
        answer = self.exchange(self.build(method, uri, **again))
        self._acknowledge(method, uri, answer, parts)
        return answer

    def _acknowledge(self, method, uri, answer, parts):
        if method == "INVITE" and answer:
            to = answer.value("to")
            keep = {key: parts[key] for key in ("from_", "call_id") if key in parts}
            self.send(self.build("ACK", uri, to=to, cseq=self.cseq, **keep))

    def register(self, user, password=None, *, auth_name=None, expires=120, **parts):
        """The final status of a REGISTER (0: no answer). Without a password the challenge stays unanswered."""
        me = f"<sip:{user}@{self.domain}>"
        parts = {"from_": me, "to": me, **parts}
        extra = (f"Contact: <sip:{user}@{self.local}>", f"Expires: {expires}")
        login = None if password is None else (auth_name or user, password)
        answer = self.request("REGISTER", f"sip:{self.domain}", login=login, extra=extra, **parts)
        return answer.status if answer else 0

    def invite(self, number, user="guest", password=None, **parts):
        """The final answer to an INVITE for a number, and the parts that name its dialogue."""
        uri = f"sip:{number}@{self.domain}"
        parts = {"from_": f"<sip:{user}@{self.domain}>", "to": f"<{uri}>", "call_id": secrets.token_hex(8), **parts}
        extra = (f"Contact: <sip:{user}@{self.local}>",)
        login = None if password is None else (user, password)
        body = session_description(self.address)
        return self.request("INVITE", uri, login=login, extra=extra, body=body, **parts), parts

    def call(self, number, user, password, seconds=0.2):
        """Calls, waits, hangs up: true when the call was answered and its BYE too."""
        answer, parts = self.invite(number, user, password)
        if not answer or answer.status != 200:
            return False
        time.sleep(seconds)
        contact = re.search(r"<([^>]+)>", answer.value("contact"))
        bye = {"from_": parts["from_"], "call_id": parts["call_id"], "to": answer.value("to")}
        done = self.request("BYE", contact[1] if contact else f"sip:{number}@{self.domain}", **bye)
        return bool(done and done.status == 200)


class Phone:
    """A registered user: registers with the right password, again and again, and calls."""

    def __init__(self, lab, source, server, user, password=None, **how):
        self.user, self.password = user, password or f"Lab-Phone-{user}"
        self.client = Client(lab, source, server, **how)

    def register(self):
        return self.client.register(self.user, self.password) == 200

    def call(self, number="777"):
        return self.client.call(number, self.user, self.password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.sock.close()
