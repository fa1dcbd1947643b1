"""A server with doors, a client and a stranger, each in a namespace of its own; and what real clients do there."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import fixture
import guard
import net

SERVER, CLIENT, STRANGER = "doorsrv", "phones", "attack"
V4, V6 = socket.AF_INET, socket.AF_INET6
BOTH = (V4, V6)
TOOLS = ("nft", "ipset", "knock", "fwknop", "fwknopd", "iptables", "ip6tables", "iptables-legacy", "faketime", "nmap", "traceroute")
# Ports with a listener. The last is no door's.
PORTS = (22, 443, 8088)
# What a configuration says where the gate is not nftables' matter.
BY_IPTABLES = '\n[sereno]\nbackend = "iptables"\n'
# A door opens or shuts within this; a probe that gets no answer waits so long.
SOON, DEAF = 3.0, 0.4


def why_not():
    """Why the doors' lab cannot run here, or an empty text."""
    if os.geteuid() != 0:
        return "the lab needs root"
    if not guard.BINARY:
        return "SERENO_BIN is not set"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"missing {' '.join(missing)}: run tests/lab/setup doors" if missing else ""


class House:
    """The three namespaces and the server's listeners. Everything is gone after close()."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="sereno-doors")
        os.chmod(self.work, 0o755)
        self.net = net.Net((SERVER,)).__enter__()
        for port in PORTS:
            self.listen(SERVER, port)

    def listen(self, role, port, greet=lambda peer: b"hi"):
        """Somebody who listens, and greets; greet makes the greeting of the address that came."""
        listener = self._listener(role, port)
        threading.Thread(target=serve, args=(listener, greet), daemon=True).start()

    def echo(self, role, port):
        """Somebody who sends every datagram back, from the address that it came to."""
        for family in BOTH:
            sock = net.in_namespace(self.net.name(role), lambda family=family: bound(family, port))
            threading.Thread(target=send_back, args=(sock,), daemon=True).start()

    def _listener(self, role, port):
        def make():
            sock = socket.socket(V6, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", port))
            sock.listen(64)
            return sock

        return net.in_namespace(self.net.name(role), make)

    def close(self):
        self.net.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, role, *words, text=None, **more):
        """Runs a command in a namespace; what it printed. Fails as the command does."""
        done = subprocess.run(self.net.command(role, *words), capture_output=True, text=True, input=text, timeout=60, **more)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout

    def connect(self, role, port=22, family=V4, seconds=DEAF, source=None):
        """A connection to the server on which it has greeted; None if none comes about."""

        def make():
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(seconds)
            try:
                if source:
                    sock.bind((source, 0))
                sock.connect((net.server_address(SERVER, family), port))
                return sock if sock.recv(2) == b"hi" else None
            except OSError:
                sock.close()
                return None

        return net.in_namespace(self.net.name(role), make)

    def reaches(self, role, port=22, family=V4, source=None):
        """Whether a new connection comes about."""
        sock = self.connect(role, port, family, source=source)
        if sock:
            sock.close()
        return sock is not None

    def knock(self, ports, role=CLIENT, family=V4, udp=False, delay=20):
        """The real knock client; delay in ms."""
        words = ["knock", "-d", str(delay), *["-u"] * udp, "-6" if family == V6 else "-4"]
        self.run(role, *words, net.server_address(SERVER, family), *map(str, ports))

    def datagram(self, payload, role, family=V4, port=62201):
        """Sends bytes in one UDP datagram."""

        def send():
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(payload, (net.server_address(SERVER, family), port))

        net.in_namespace(self.net.name(role), send)

    def flood(self, role, *words, wait=True):
        """Runs flood.py in a namespace against the server; what it counted, or the process."""
        link = json.loads(self.run(SERVER, "ip", "-j", "link", "show", "eth0"))[0]["address"]
        words = [f"{os.path.dirname(os.path.abspath(__file__))}/flood.py", "--mac", link,
                 "--to", net.server_address(SERVER), *map(str, words)]  # fmt: skip
        # A flood does not outlive the test.
        words = ["setpriv", "--pdeathsig", "KILL", *words]
        process = subprocess.Popen(self.net.command(role, *words), stdout=subprocess.PIPE, text=True)
        return counted(process) if wait else process


def bound(family, port):
    """A datagram socket of one family at all addresses."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == V6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::" if family == V6 else "0.0.0.0", port))
    return sock


def send_back(sock):
    while True:
        data, peer = sock.recvfrom(2048)
        try:
            sock.sendto(data, peer)
        except OSError:
            # What the gate refuses is the asker's loss.
            pass


def counted(process):
    """What a flood counted, when it ends."""
    said, _ = process.communicate(timeout=600)
    if process.returncode != 0:
        raise AssertionError("the flood failed")
    return json.loads(said)


def serve(listener, greet):
    """Greets, and repeats what it hears: each connection in a thread."""

    def attend(sock, peer):
        with sock:
            try:
                sock.sendall(greet(peer[0].removeprefix("::ffff:")))
                while data := sock.recv(64):
                    sock.sendall(data)
            except OSError:
                pass

    while True:
        sock, peer = listener.accept()
        threading.Thread(target=attend, args=(sock, peer), daemon=True).start()


def echoes(sock, seconds=DEAF):
    """Whether the other end still answers on a connection."""
    sock.settimeout(seconds)
    try:
        sock.sendall(b"?")
        return sock.recv(1) == b"?"
    except OSError:
        return False


class Porter(guard.Program):
    """Sereno with doors."""

    def __init__(self, house, work, *options):
        super().__init__(house.net, SERVER, work, *options)

    def listed(self):
        """The doors by name, and what was heard."""
        told = json.loads(self.order("door", "list", "--json"))
        return {door["name"]: door for door in told["doors"]}, told["heard"]

    def heard(self):
        return self.listed()[1]

    def entries(self, door):
        """The addresses that a door let in."""
        return {entry["addr"] for entry in self.listed()[0][door]["entries"]}

    def refused(self):
        """Signed packets that were refused, by the reason."""
        return dict(map(tuple, self.heard()["refused"]))

    def cpu(self):
        """User and system seconds so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident memory in MB of 10^6 bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024 / 1e6


class HouseCase(unittest.TestCase):
    """A test case with the house as self.house; each test has a Sereno of its own, with nothing in its memory."""

    # Which firewall Sereno is told to use: a word for its configuration. "iptables" is that of the machine, in
    # Debian the form that is a part of nftables; "legacy" is the old form, for which Sereno has no word: it goes by
    # what is there.
    backend = "nft"

    @classmethod
    def setUpClass(cls):
        fixture.skip(why_not())
        cls.house = House()
        cls.addClassCleanup(cls.house.close)

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=self.house.work)
        self.addCleanup(self.flush)
        if self.backend == "legacy":
            # That it has a table says that it is used.
            self.house.run(SERVER, "iptables-legacy", "-t", "filter", "-L", "-n")

    def flush(self):
        """What a start of the machine does, or another program: no rules are left, and no sets."""
        self.house.run(SERVER, "nft", "flush", "ruleset")
        if self.backend == "legacy":
            empty = "".join(f"*{table}\nCOMMIT\n" for table in ("raw", "mangle", "filter"))
            for program in ("iptables-legacy-restore", "ip6tables-legacy-restore"):
                self.house.run(SERVER, program, text=empty)
        if self.backend != "nft":
            # The kernel lets go of what rules asked in its own time.
            gone = lambda: not subprocess.run(self.house.net.command(SERVER, "ipset", "destroy"), capture_output=True).returncode
            self.assertTrue(fixture.await_true(gone, SOON), "sets are still in use")

    def write(self, name, text, mode=0o600):
        """A file of this test; its path. @WORK@ stands for the folder."""
        path = f"{self.work}/{name}"
        if name == "sereno.toml" and self.backend != "nft":
            text += BY_IPTABLES
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:
            out.write(text.replace("@WORK@", self.work))
        return path

    def read(self, name):
        """A file of this test; empty if it is not there."""
        if not os.path.exists(f"{self.work}/{name}"):
            return ""
        with open(f"{self.work}/{name}", encoding="utf-8") as text:
            return text.read()

    def porter(self, *options):
        # One that a command wrote does not say so yet.
        if self.backend != "nft" and BY_IPTABLES not in self.read("sereno.toml"):
            self.write("sereno.toml", self.read("sereno.toml"))
        porter = Porter(self.house, self.work, *options)
        self.addCleanup(porter.stop)
        porter.start()
        return porter

    def knockd(self, text, *options):
        """Sereno with a knockd.conf."""
        return self.porter("--knockd", self.write("knockd.conf", text), *options)

    def doors(self, text):
        """Sereno with doors of its own configuration."""
        return self.porter("--config", self.write("sereno.toml", text))

    def gate(self, porter, *words, session=None, code=0, top=False):
        """A command of an administrator, who may have come by ssh; what it said. It ends with that code, if one is given."""
        here = net.server_address(SERVER, V4)
        env = [f"SSH_CONNECTION={session} 40000 {here} 22"] if session else ["-u", "SSH_CONNECTION"]
        call = self.house.net.command(SERVER, "env", *env, guard.BINARY, "--socket", porter.socket, *[] if top else ["gate"], *words)
        done = subprocess.run(call, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def assert_opens(self, role=CLIENT, port=22, family=V4, source=None, seconds=SOON):
        there = fixture.await_true(lambda: self.house.reaches(role, port, family, source), seconds)
        self.assertTrue(there, f"{role} does not reach port {port}")

    def assert_shuts(self, role=CLIENT, port=22, family=V4, source=None, seconds=SOON):
        gone = fixture.await_true(lambda: not self.house.reaches(role, port, family, source), seconds)
        self.assertTrue(gone, f"{role} still reaches port {port}")

    def assert_shut(self, role=CLIENT, port=22, family=V4, source=None):
        self.assertFalse(self.house.reaches(role, port, family, source), f"{role} reaches port {port}")
