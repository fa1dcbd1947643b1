#!/usr/bin/env python3
"""The client of doors against the real knockd and fwknopd, in two network namespaces of its own.

    SERENO_BIN=/path/to/sereno knocking.py [-v]          (root; tests/lab/setup has run)

The server drops what goes to tcp/22, where somebody listens; knockd and fwknopd open it with iptables.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE / "knockd"), str(HERE.parent.parent / "crates/sereno-spa/tests/fwknop")]
import fixture  # noqa: E402
import real  # noqa: E402
import record  # noqa: E402

BINARY = os.environ.get("SERENO_BIN", str(HERE.parent.parent / "target/debug/sereno"))
FOUR, SIX = "192.0.2.1", "2001:db8::1"
SEQUENCE = ("7000", "8000:udp", "9000")
SECRET = bytes(range(20))
CONFIG = """[options]
logfile = {LOG}
[door]
sequence = 7000,8000:udp,9000
seq_timeout = 5
tcpflags = syn
start_command = iptables -w -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
start_command_6 = ip6tables -w -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
"""
FWKNOPD = "PCAP_INTF ks0;\nPCAP_LOOP_SLEEP 10000;\n"
ACCESS = f"SOURCE ANY\nKEY_BASE64 {real.KEY}\nHMAC_KEY_BASE64 {real.HMAC}\n"


def why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "iptables", "ip6tables", "knockd", "knock", "fwknopd", "fwknop", "perl")
               if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return None if os.path.exists(BINARY) else f"there is no {BINARY}"


def heard(wire):
    """The ports that were knocked at, in their order, with how."""
    return [(packet["src"], packet["dport"], packet.get("flags", "udp")) for packet in wire.heard()
            if packet["dport"] != 22 and packet.get("flags", "S") == "S"]


class Doors(unittest.TestCase):
    """A server and clients; this process is at the server."""

    @classmethod
    def setUpClass(cls):
        fixture.skip(why_not())
        cls.addClassCleanup(cls.clean)
        record.ground()
        # Of several addresses of version 6 the system would choose one.
        for host in record.CLIENTS[1:]:
            record.ip("-n", record.CLIENT, "addr", "del", f"2001:db8::{host}/64", "dev", "kc0")
        # Names of the client's own: `ip netns exec` lays this file over /etc/hosts.
        hosts = pathlib.Path("/etc/netns", record.CLIENT)
        while not hosts.is_dir():  # another process may take the folder away that is empty for a moment
            with contextlib.suppress(FileNotFoundError):
                hosts.mkdir(parents=True)
        (hosts / "hosts").write_text(f"{FOUR} srv\n{SIX} srv\n{FOUR} four\n")
        cls.wire = record.Wire()
        cls.listener = socket.create_server(("::", 22), family=socket.AF_INET6, dualstack_ipv6=True)
        threading.Thread(target=cls.accept, daemon=True).start()

    @classmethod
    def accept(cls):
        with contextlib.suppress(OSError):
            while True:
                cls.listener.accept()[0].close()

    @classmethod
    def clean(cls):
        shutil.rmtree(f"/etc/netns/{record.CLIENT}", ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir("/etc/netns")
        for name in (record.SERVER, record.CLIENT):
            subprocess.run(["ip", "netns", "del", name], check=False)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="knocking-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        for tool in ("iptables", "ip6tables"):
            subprocess.run([tool, "-w", "-F", "INPUT"], check=True)
            subprocess.run([tool, "-w", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"], check=True)
        self.wire.heard()

    def client(self, *words, **more):
        """What a program at the client says, and its exit code."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C", "LOGNAME": "ana"}
        command = ["ip", "netns", "exec", record.CLIENT, *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, **more)

    def knock(self, *words):
        return self.client(BINARY, "knock", *words)

    def json(self, *words):
        done = self.knock(*words, "--json")
        return json.loads(done.stdout), done.returncode

    def is_open(self, source):
        """Whether an address of the client's gets through."""
        target = SIX if ":" in source else FOUR
        code = f"import socket; socket.create_connection(('{target}', 22), 0.7, ('{source}', 0))"
        return self.client("python3", "-c", code).returncode == 0

    def put(self, name, text, mode=0o600):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)


class Knockd(Doors):
    @contextlib.contextmanager
    def knockd(self):
        daemon = record.Daemon(self.home, {"config": CONFIG})
        try:
            self.assertTrue(daemon.ready(), daemon.log())
            yield daemon
        finally:
            daemon.child.kill()
            daemon.child.communicate(timeout=10)

    def check_opens(self, daemon, source, *words):
        self.assertFalse(self.is_open(source))
        done = self.knock(*words, *SEQUENCE, "-w", "22", "--", "printf", "%s", "it is; open")
        self.assertEqual((done.returncode, done.stdout), (0, "it is; open"), done)
        self.assertRegex(done.stderr, r"^knocking at .*: 7000, 8000:udp, 9000 \.\.\. tcp/22 is open\n$")
        self.assertEqual([line for line in daemon.log() if "OPEN" in line], [f"{source}: door: OPEN SESAME"])
        self.assertTrue(self.is_open(source))

    def test_opens_over_ipv4_and_over_ipv6(self):
        # The second of its addresses is no friend of the first.
        for words, source, other in (
            ((FOUR,), "192.0.2.2", "192.0.2.3"),
            ((SIX,), "2001:db8::2", "192.0.2.2"),
            (("-4", "srv"), "192.0.2.2", "2001:db8::2"),
            (("-6", "srv"), "2001:db8::2", "192.0.2.2"),
            (("four",), "192.0.2.2", "192.0.2.3"),
        ):
            with self.subTest(words=words):
                self.setUp()
                with self.knockd() as daemon:
                    self.check_opens(daemon, source, *words)
                    self.assertFalse(self.is_open(other))

    def test_what_it_sends_is_what_knock_sends(self):
        """Also where nobody answers: one SYN for each port, and no more of them later."""
        ports = ("7001", "7002:udp", "7003", "7004")
        subprocess.run(["iptables", "-w", "-A", "INPUT", "-j", "DROP"], check=True)
        sent = []
        for words in (("knock", FOUR), (BINARY, "knock", FOUR)):
            self.assertEqual(self.client(*words, *ports).returncode, 0)
            time.sleep(1.5)
            sent.append(heard(self.wire))
        self.assertEqual(sent[0], sent[1])
        self.assertEqual([port for _, port, _ in sent[1]], [7001, 7002, 7003, 7004])

    def test_a_wrong_order_opens_nothing(self):
        with self.knockd():
            done = self.knock(FOUR, *reversed(SEQUENCE), "-w", "22", "-t", "2", "--", "touch", f"{self.home}/started")
            self.assertEqual(done.returncode, 4, done)
            self.assertIn("tcp/22 does not answer", done.stderr)
            self.assertFalse((self.home / "started").exists())

    def test_it_knocks_once_more_unless_it_may_not(self):
        """The first knock is heard by nobody: knockd is started a second later."""
        for words, rounds, code in (((), 2, 0), (("--once",), 1, 4)):
            with self.subTest(words=words), contextlib.ExitStack() as stack:
                self.setUp()
                late = threading.Timer(1, lambda: stack.enter_context(self.knockd()))
                late.start()
                told, ended = self.json(FOUR, *SEQUENCE, "-w", "22", "-t", "6", *words)
                late.join()
                self.assertEqual((told["rounds"], told["open"], ended), (rounds, code == 0, code), told)

    def test_a_door_of_an_invitation(self):
        path = self.put(".config/sereno/doors/home.toml",
                        'host = "srv"\nwait = 22\nknock = [7000, "8000:udp", 9000]\n')
        with self.knockd():
            done = self.knock("home", "-4")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, f"knocking at door home of srv ({FOUR}) ... tcp/22 is open\n")
        os.chmod(path, 0o644)
        done = self.knock("srv", "home")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"chmod 600 {path}", done.stderr)

    def test_what_the_system_refuses_to_send_is_told(self):
        within = ["ip", "netns", "exec", record.CLIENT]
        rule = ["OUTPUT", "-p", "udp", "--dport", "8000", "-j", "DROP"]
        subprocess.run([*within, "iptables", "-w", "-A", *rule], check=True)
        self.addCleanup(subprocess.run, [*within, "iptables", "-w", "-D", *rule], check=True)
        for words, said in (((FOUR, *SEQUENCE), "no knock at udp/8000: Operation not permitted"),
                            (("198.51.100.1", "7000"), "no knock at tcp/7000: Network is unreachable"),
                            (("nobody.invalid", "7000"), "nobody.invalid:")):
            done = self.knock(*words)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(said, done.stderr)


def sequence(window):
    """The ports of a window, as RFC 2104 and the guide say: made anew, without the program."""
    ports, block = [], 0
    while len(ports) < 4:
        text = b"sereno knock 1" + window.to_bytes(8, "big") + block.to_bytes(4, "big")
        made = hmac.new(SECRET, text, hashlib.sha256).digest()
        for at in range(0, 32, 2):
            port = 20000 + int.from_bytes(made[at:at + 2], "big") * 41000 // 65536
            ports += [port] if port not in ports and len(ports) < 4 else []
        block += 1
    return ports


class Timed(Doors):
    def test_ports_are_those_of_the_time(self):
        secret = base64.b64encode(SECRET).decode()
        self.put(".config/sereno/doors/home.toml", f'host = "{SIX}"\ndelay = 5\nsecret = "{secret}"\n')
        before = int(time.time()) // 30
        self.assertEqual(self.knock("home").returncode, 0)
        windows = {before, int(time.time()) // 30}
        time.sleep(0.2)
        ports = [port for _, port, flags in heard(self.wire) if flags == "S"]
        self.assertIn(ports, [sequence(window) for window in windows])


class Fwknopd(Doors):
    def setUp(self):
        super().setUp()
        self.stanza("home", "tcp/22", "-a", "192.0.2.2")

    def stanza(self, name, access, *more):
        """As the real client saves one."""
        words = ["fwknop", "-n", name, "--save-rc-stanza", "--rc-file", f"{self.home}/.fwknoprc", "-T", "-D", FOUR,
                 "-A", access, "--use-hmac", "--key-base64-rijndael", real.KEY, "--key-base64-hmac", real.HMAC, *more]
        self.assertEqual(self.client(*words).returncode, 0)

    def rules(self):
        return [rule for rule in real.rules().splitlines() if rule.startswith("-A FWKNOP_INPUT ")]

    def test_a_packet_opens_and_the_command_follows(self):
        with real.daemon(str(self.home), ACCESS, FWKNOPD):
            self.assertFalse(self.is_open("192.0.2.2"))
            done = self.knock("--spa", "-n", "home", "--", "echo", "it is open")
            self.assertEqual((done.returncode, done.stdout), (0, "it is open\n"), done)
            self.assertEqual(done.stderr, f"knocking at {FOUR}: a packet to udp/62201 ... tcp/22 is open\n")
            self.assertTrue(self.is_open("192.0.2.2"))
            self.assertFalse(self.is_open("192.0.2.3"))
            self.assertIn("-s 192.0.2.2/32 -p tcp -m tcp --dport 22 ", "\n".join(self.rules()))

    def test_the_command_line_counts_before_the_stanza(self):
        conf = FWKNOPD + "PCAP_FILTER udp port 4711;\n"
        with real.daemon(str(self.home), ACCESS, conf):
            begun = time.time()
            words = ("--spa", "four", "-s", "-A", "udp/53,tcp/22", "-f", "77", "-p", "4711")
            told, code = self.json(*words)
            self.assertEqual((told["host"], told["address"], told["port"], told["open"], code), ("four", FOUR, 22, True, 0))
            opened = [(rule.split(" --dport ")[1].split()[0], int(rule.split("_exp_")[1].split()[0])) for rule in self.rules()]
            self.assertEqual([port for port, _ in opened], ["53", "22"])
            self.assertTrue(all(abs(end - begun - 77) < 5 for _, end in opened), opened)

    def test_wrong_keys_open_nothing(self):
        other = base64.b64encode(bytes(32)).decode()
        with real.daemon(str(self.home), ACCESS.replace(real.KEY, other), FWKNOPD):
            done = self.knock("--spa", "-t", "2")
            self.assertEqual(done.returncode, 4, done)
            self.assertIn("clocks", done.stdout)
            self.assertNotIn(real.KEY[:8], done.stdout + done.stderr)

    def test_a_trial_sends_nothing_and_shows_no_key(self):
        done = self.knock("--spa", "--test", "-f", "60")
        self.assertEqual(done.returncode, 0, done)
        said = dict(line.split(None, 1) for line in done.stdout.splitlines())
        self.assertEqual((said["for"], said["ports"], said["seconds"]), ("192.0.2.2", "tcp/22", "60"))
        self.assertIn("not sent", done.stdout)
        for key in (real.KEY, real.HMAC):
            self.assertNotIn(key[:8], done.stdout + done.stderr)
        self.assertEqual(heard(self.wire), [])


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, (Knockd, Timed, Fwknopd)))


if __name__ == "__main__":
    unittest.main()
