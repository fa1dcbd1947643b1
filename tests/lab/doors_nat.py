"""Doors that lead to other places: the real fwknop client asks for translation, beside the real fwknopd."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import fixture
import guard
import house
import net
from doors_signed import Spa
from house import CLIENT, SERVER, STRANGER

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "crates/sereno-spa/tests/fwknop"))
import real  # noqa: E402

# The network behind the server.
BLOCK, INNER = "10.77.0", "10.77.0.2"
WHO = "198.51.100.202"
FORWARDING, LOCAL = "ENABLE_IPT_FORWARDING Y;\n", "ENABLE_IPT_LOCAL_NAT Y;\n"
# A firewall that closes everything, and one that does not even let on what is under way.
CLOSED = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p icmp -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
{}COMMIT
"""
GOES_ON = "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"


class Led(Spa):
    """What these tests share: a machine behind the server, at 10.77.0.2, which says who it thinks came."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inner = cls.house.net.behind(SERVER, BLOCK)
        for port in (22, 80):
            cls.house.listen(cls.inner, port, lambda peer, port=port: f"{port} for {peer}".encode())

    def nat(self, conf, more=""):
        """The files of a server, and the real client's."""
        if not os.path.exists(f"{self.work}/keys"):
            self.keys()
        self.write("fwknopd.conf", f"PCAP_INTF eth0;\nPCAP_LOOP_SLEEP 10000;\n{conf}")
        text = f"SOURCE ANY\nKEY_BASE64 {self.key}\nHMAC_KEY_BASE64 {self.hmac}\n{more}"
        return self.write("access.conf", text)

    def sereno(self, conf, more=""):
        return self.porter("--fwknop", self.nat(conf, more))

    @contextlib.contextmanager
    def fwknopd(self, conf, more=""):
        """The real one, with the same files."""
        self.nat(conf, more)
        folder = f"{self.work}/real"
        os.makedirs(folder, exist_ok=True)
        with real.daemon(folder, self.read("access.conf"), self.read("fwknopd.conf"), self.house.net.command(SERVER)):
            yield

    def iptables(self, more=GOES_ON):
        self.house.run(SERVER, "iptables-restore", text=CLOSED.format(more))

    def greeted(self, port, role=CLIENT, host=None):
        """What is said to who connects to a port of the server, or of another host; nothing if nobody answers."""

        def make():
            with socket.socket() as sock:
                sock.settimeout(house.DEAF)
                try:
                    sock.connect((host or net.server_address(SERVER), port))
                    return sock.recv(64).decode()
                except OSError:
                    return None

        return net.in_namespace(self.house.net.name(role), make)

    def knock(self, *words):
        """Our own client sends a packet, and waits for the port; what it says, in JSON."""
        said = self.house.run(CLIENT, guard.BINARY, "knock", "--spa", "--rc", self.rc, "-n", "ssh", "--json", *words)
        return json.loads(said)

    def asks(self):
        """Our own client asks for both kinds of translation, and finds where they lead."""
        self.knock("-A", "tcp/8022", "-N", f"{INNER}:80")
        self.leads(8022, f"80 for {WHO}")
        self.knock("-A", "tcp/22", "-N", INNER, "--nat-port", "8023")
        self.leads(8023, f"22 for {WHO}")
        told = self.knock("-A", "tcp/22", "--nat-local", "--nat-rand-port")
        self.assertTrue(told["open"])
        self.leads(told["port"], "hi")
        self.assertIsNone(self.greeted(told["port"], STRANGER))

    def leads(self, port, where, role=CLIENT, seconds=house.SOON):
        there = fixture.await_true(lambda: self.greeted(port, role) == where, seconds)
        self.assertTrue(there, f"port {port} of {role}: {self.greeted(port, role)}, not {where}")

    def said(self, porter, text):
        self.assertTrue(fixture.await_true(lambda: text in porter.said()), porter.said())


class Nat(Led):
    """Sereno alone."""

    def test_a_port_leads_to_a_machine_behind_and_closes_by_itself(self):
        porter = self.sereno(FORWARDING, "FW_ACCESS_TIMEOUT 4\nOPEN_PORTS tcp/22\n")
        self.assertIsNone(self.greeted(22), "it is closed")
        self.fwknop("-A", "tcp/22", "-N", f"{INNER}:80")
        begun = time.monotonic()
        self.leads(22, f"80 for {WHO}")
        self.assertIsNone(self.greeted(22, STRANGER))
        self.assertIsNone(self.greeted(80))
        (entry,) = porter.listed()[0]["fwknop"]["entries"]
        self.assertEqual((entry["addr"], entry["port"], entry["to"]), (WHO, "tcp/22", f"{INNER}:80"))
        self.assertIn(f"tcp/22 -> {INNER}:80", porter.order("door", "list"))
        self.assertIn(f"tcp/22 -> {INNER}:80", porter.order("door", "show", "fwknop"))
        self.assertIn(f"let in by fwknop at tcp/22 -> {INNER}:80", porter.order("why", WHO))
        with self.connected(22) as sock:
            self.assertTrue(fixture.await_true(lambda: self.greeted(22) is None, 6))
            self.assertGreater(time.monotonic() - begun, 3)
            self.assertTrue(house.echoes(sock), "what is connected goes on")
        self.assertTrue(fixture.await_true(lambda: not porter.entries("fwknop")))
        # In the kernel too.
        self.assertNotIn(INNER, self.house.run(SERVER, "nft", "list", "table", "inet", "sereno"))

    def connected(self, port):
        def make():
            sock = socket.create_connection((net.server_address(SERVER), port), house.DEAF)
            sock.recv(64)
            return sock

        return net.in_namespace(self.house.net.name(CLIENT), make)

    def test_a_port_leads_to_another_of_the_same_machine(self):
        porter = self.sereno(LOCAL, "OPEN_PORTS tcp/22, tcp/5555\n")
        for port in (22, 5555):
            self.assertIsNone(self.greeted(port))
        self.fwknop("-A", "tcp/22", "--nat-local", "--nat-port", "5555")
        self.leads(5555, "hi")
        self.assertIsNone(self.greeted(22), "by its own port")
        self.assertIsNone(self.greeted(5555, STRANGER))
        porter.order("door", "close", "fwknop", WHO)
        self.assertTrue(fixture.await_true(lambda: self.greeted(5555) is None))

    def test_a_port_by_chance_and_the_name_of_the_server(self):
        """The client may know the server by a name, which nobody looks up here."""
        self.sereno(LOCAL)
        home = {**os.environ, "HOME": f"{self.work}/home", "LOGNAME": "labuser"}
        os.makedirs(home["HOME"], exist_ok=True)
        words = ["fwknop", "--rc-file", self.rc, "-n", "ssh", "-s", "-A", "tcp/22", "--nat-local", "--nat-rand-port"]
        said = self.house.run(CLIENT, *words, env=home)
        port = re.search(r"(\d{4,5})", said[said.index("port") :])[1]
        self.leads(int(port), "hi")
        self.assertIsNone(self.greeted(int(port), STRANGER))

    def test_our_own_client(self):
        self.sereno(FORWARDING + LOCAL)
        self.asks()
        # As its file says.
        with open(self.rc, "a", encoding="ascii") as rc:
            rc.write(f"NAT_ACCESS {INNER}:80\nNAT_PORT 8099\n")
        self.assertEqual(self.knock()["port"], 8099)
        self.leads(8099, f"80 for {WHO}")

    def test_the_last_packet_says_where_and_extends(self):
        porter = self.sereno(FORWARDING, "FW_ACCESS_TIMEOUT 60\n")
        for port in (80, 22, 80, 80):
            self.fwknop("-A", "tcp/8022", "-N", f"{INNER}:{port}")
            self.leads(8022, f"{port} for {WHO}")
        (entry,) = porter.listed()[0]["fwknop"]["entries"]
        self.assertEqual(entry["to"], f"{INNER}:80")
        # Two ports to one place: each closes for itself.
        self.fwknop("-A", "tcp/8023", "-N", f"{INNER}:80", "-f", "2")
        self.leads(8023, f"80 for {WHO}")
        self.assertTrue(fixture.await_true(lambda: self.greeted(8023) is None, 4))
        self.leads(8022, f"80 for {WHO}")

    def test_it_outlives_a_kill_and_a_lost_table(self):
        porter = self.sereno(FORWARDING, "FW_ACCESS_TIMEOUT 60\nFORCE_NAT 10.77.0.2 80\nFORCE_MASQUERADE Y\n")
        self.fwknop("-A", "tcp/8022")
        there = f"80 for {BLOCK}.1"
        self.leads(8022, there)
        porter.kill()
        self.leads(8022, there)
        self.house.run(SERVER, "nft", "delete", "table", "inet", "sereno")
        self.assertIsNone(self.greeted(8022))
        porter.start()
        self.leads(8022, there)
        self.house.run(SERVER, "nft", "delete", "table", "inet", "sereno")
        self.leads(8022, there)
        self.house.run(SERVER, "nft", "delete", "element", "inet", "sereno", "nat_targets", f"{{ {WHO} . tcp . 8022 }}")
        self.leads(8022, there)
        # What is not allowed any more is over after a reload.
        self.nat("", "")
        porter.order("reload")
        self.assertIsNone(self.greeted(8022))
        self.assertEqual(porter.entries("fwknop"), set())

    def test_what_is_not_allowed_is_refused_counted_and_said(self):
        porter = self.sereno("")
        for count, words in enumerate((("-N", f"{INNER}:80"), ("--nat-local", "--nat-port", "5555")), 1):
            self.fwknop("-A", "tcp/8022", *words)
            self.assert_refused(porter, "nat", count, "fwknop")
        self.said(porter, "asks for translation, which is not allowed (ENABLE_IPT_FORWARDING")
        self.assertIsNone(self.greeted(8022))

    def test_only_one_other_machine_can_be_meant(self):
        porter = self.sereno(FORWARDING)
        own = ("127.0.0.1", net.server_address(SERVER), f"{BLOCK}.1")
        wrong = ("localhost", "inner.example.org", "224.0.0.1", "255.255.255.255", "169.254.169.254", *own)
        for count, host in enumerate(wrong, 1):
            self.fwknop("-A", "tcp/8022", "-N", f"{host}:80")
            self.assert_refused(porter, "target", count, "fwknop")
        self.said(porter, "asks for translation to a name, to this machine, or to no single machine")
        # A network's broadcast address is known to the kernel alone.
        self.house.listen(SERVER, 81)
        self.fwknop("-A", "tcp/8022", "-N", f"{BLOCK}.255:81")
        self.assertTrue(fixture.await_true(lambda: porter.entries("fwknop")))
        self.assertIsNone(self.greeted(8022))

    def test_ports_are_judged_on_both_sides_of_this_machine(self):
        porter = self.sereno(FORWARDING + LOCAL, "OPEN_PORTS tcp/5555\nRESTRICT_PORTS tcp/23\n")
        wrong = (("tcp/22", "--nat-local", "--nat-port", "5555"), ("tcp/22", "-N", f"{INNER}:80"), ("tcp/23", "-N", f"{INNER}:80"))
        for count, words in enumerate(wrong, 1):
            self.fwknop("-A", *words)
            self.assert_refused(porter, "ports", count, "fwknop")
        self.fwknop("-A", "tcp/5555", "-N", f"{INNER}:80")
        self.leads(5555, f"80 for {WHO}")

    def test_a_packet_counts_once(self):
        porter = self.sereno(FORWARDING)
        packet = self.fwknop("-A", "tcp/8022", "-N", f"{INNER}:80")
        self.leads(8022, f"80 for {WHO}")
        self.house.datagram(packet, STRANGER)
        self.assertTrue(fixture.await_true(lambda: porter.refused() == {"replay": 1}))
        self.assertIsNone(self.greeted(8022, STRANGER))

    def test_a_machine_that_sends_nothing_on_says_so(self):
        self.house.run(SERVER, "sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
        self.addCleanup(self.house.run, SERVER, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        porter = self.sereno(FORWARDING)
        self.said(porter, "this one sends nothing on: set net.ipv4.ip_forward=1")
        self.assertEqual(porter.said().count("net.ipv4.ip_forward=1"), 1)
        told = json.loads(porter.ask("status", "--json").stdout)
        self.assertTrue([alarm for alarm in told["alarms"] if "net.ipv4.ip_forward" in alarm], told["alarms"])
        self.assertEqual(self.house.run(SERVER, "cat", "/proc/sys/net/ipv4/ip_forward").strip(), "0")

    def test_what_only_passes_is_let_on_where_all_is(self):
        """An SPA gateway: FORWARD_ALL and DISABLE_DNAT."""
        self.house.run(CLIENT, "ip", "route", "add", f"{BLOCK}.0/24", "via", net.server_address(SERVER))
        self.house.run(STRANGER, "ip", "route", "add", f"{BLOCK}.0/24", "via", net.server_address(SERVER))
        for role in (CLIENT, STRANGER):
            self.addCleanup(self.house.run, role, "ip", "route", "del", f"{BLOCK}.0/24")
        self.iptables()
        porter = self.sereno(FORWARDING, "FORWARD_ALL Y\nDISABLE_DNAT Y\nFORCE_MASQUERADE Y\n")
        self.assertIsNone(self.greeted(80, host=INNER))
        self.fwknop("-A", "tcp/22", "-N", f"{INNER}:80")
        for port in (22, 80):
            there = fixture.await_true(lambda: self.greeted(port, host=INNER) == f"{port} for {BLOCK}.1", 15)
            self.assertTrue(there, port)
        self.assertIsNone(self.greeted(80, STRANGER, INNER))
        self.assertIsNone(self.greeted(8088), "to the gateway itself")
        (entry,) = porter.listed()[0]["fwknop"]["entries"]
        self.assertEqual((entry["port"], "to" in entry), ("all", False))
        porter.order("door", "close", "fwknop")
        self.assertTrue(fixture.await_true(lambda: self.greeted(80, host=INNER) is None))


class NatBeside(Led):
    """Beside another firewall that closes everything."""

    def both(self, porter):
        self.fwknop("-A", "tcp/8022", "-N", f"{INNER}:80")
        self.leads(8022, f"80 for {WHO}", seconds=15)
        self.assertIsNone(self.greeted(8022, STRANGER))
        self.fwknop("-A", "tcp/22", "--nat-local", "--nat-port", "5555")
        self.leads(5555, "hi", seconds=15)
        self.assertIsNone(self.greeted(5555, STRANGER))
        for port in (22, 443, 8088):
            self.assertIsNone(self.greeted(port), port)
        porter.order("door", "close", "fwknop")
        for port in (8022, 5555):
            self.assertTrue(fixture.await_true(lambda: self.greeted(port) is None), port)

    def test_iptables(self):
        self.iptables()
        self.both(self.sereno(FORWARDING + LOCAL))

    def test_iptables_without_a_rule_for_what_is_under_way(self):
        self.iptables("")
        self.both(self.sereno(FORWARDING + LOCAL))

    def test_iptables_that_comes_later_and_is_loaded_anew(self):
        porter = self.sereno(FORWARDING + LOCAL)
        self.iptables()
        self.both(porter)
        self.iptables()
        self.both(porter)

    def test_a_table_of_nftables(self):
        table = """table inet own {
            chain input { type filter hook input priority 0; policy drop; ct state established,related accept; }
            chain forward { type filter hook forward priority 0; ct state established,related accept; reject; }
        }"""
        self.house.run(SERVER, "nft", "-f", "-", text=table)
        self.both(self.sereno(FORWARDING + LOCAL))

    def test_without_translation_no_forward_chain_is_touched(self):
        self.iptables()
        self.sereno("")
        self.fwknop("-A", "tcp/8088")
        self.leads(8088, "hi")
        rules = self.house.run(SERVER, "iptables", "-S")
        self.assertEqual(rules.count("sereno doors"), 1, rules)


class NatAsFwknopd(Led):
    """The same files, the same packets: who reaches what is the same with the real fwknopd and with Sereno."""

    CASES = (
        ("-N", FORWARDING, "", ("-A", "tcp/8022", "-N", f"{INNER}:80"), 8022),
        ("-N without a port", FORWARDING, "", ("-A", "tcp/80", "-N", INNER), 80),
        ("-N and --nat-port", FORWARDING, "", ("-A", "tcp/80", "-N", INNER, "--nat-port", "8022"), 8022),
        ("-N for a time", FORWARDING, "", ("-A", "tcp/8022", "-N", f"{INNER}:22", "-f", "50"), 8022),
        ("-N of several ports", FORWARDING, "", ("-A", "tcp/8022,tcp/8023", "-N", f"{INNER}:80"), 8022),
        ("a port of the server's", FORWARDING, "", ("-A", "tcp/22", "-N", f"{INNER}:80"), 22),
        ("not allowed", LOCAL, "", ("-A", "tcp/8022", "-N", f"{INNER}:80"), 8022),
        ("to loopback", FORWARDING, "", ("-A", "tcp/8022", "-N", "127.0.0.1:22"), 8022),
        ("to the server itself", FORWARDING, "", ("-A", "tcp/8022", "-N", f"{BLOCK}.1:22"), 8022),
        ("no such port", FORWARDING, "OPEN_PORTS tcp/9\n", ("-A", "tcp/8022", "-N", f"{INNER}:80"), 8022),
        ("--nat-local", LOCAL, "", ("-A", "tcp/22", "--nat-local", "--nat-port", "5555"), 5555),
        ("--nat-local for a time", LOCAL, "", ("-A", "tcp/22", "--nat-local", "--nat-port", "5555", "-f", "50"), 5555),
        ("--nat-local, not allowed", FORWARDING, "", ("-A", "tcp/22", "--nat-local", "--nat-port", "5555"), 5555),
        ("FORCE_NAT", FORWARDING, "FORCE_NAT 10.77.0.2 80\n", ("-A", "tcp/8022"), 8022),
        ("FORCE_NAT of several ports", FORWARDING, "FORCE_NAT 10.77.0.2 80\n", ("-A", "tcp/8022,tcp/8023"), 8023),
        ("FORCE_NAT counts", FORWARDING, "FORCE_NAT 10.77.0.2 80\n", ("-A", "tcp/8022", "-N", f"{INNER}:22"), 8022),
        ("FORCE_NAT with local only", LOCAL, "FORCE_NAT 10.77.0.2 80\n", ("-A", "tcp/8022"), 8022),
        ("ENABLE_IPT_SNAT", FORWARDING + "ENABLE_IPT_SNAT Y;\nSNAT_TRANSLATE_IP 10.77.0.1;\n", "",
         ("-A", "tcp/8022", "-N", f"{INNER}:80"), 8022),
        ("FORCE_NAT and FORWARD_ALL", FORWARDING, "FORCE_NAT 10.77.0.2 80\nFORWARD_ALL Y\n", ("-A", "tcp/22"), 80),
    )  # fmt: skip

    def test_our_own_client(self):
        self.iptables()
        with self.fwknopd(FORWARDING + LOCAL):
            self.asks()

    def test_who_reaches_what(self):
        for name, conf, more, words, port in self.CASES:
            with self.subTest(case=name):
                found = []
                for run in (self.by_fwknopd, self.by_sereno):
                    self.house.run(SERVER, "nft", "flush", "ruleset")
                    self.iptables()
                    found.append(run(conf, more, words, port))
                self.assertEqual(found[0], found[1])
                print(f" {name}: {found[0]};", end="", flush=True)

    def by_fwknopd(self, conf, more, words, port):
        with self.fwknopd(conf, more):
            return self.reached(words, port, lambda: time.sleep(0.5))

    def by_sereno(self, conf, more, words, port):
        porter = house.Porter(self.house, self.work, "--fwknop", self.nat(conf, more))
        subprocess.run(["find", self.work, "-name", "*.sqlite*", "-delete"], check=True)
        try:
            porter.start()
            heard = lambda: porter.heard()["granted"] + sum(porter.refused().values()) == 1
            return self.reached(words, port, lambda: self.assertTrue(fixture.await_true(heard)))
        finally:
            porter.stop()

    def reached(self, words, port, settled):
        """What the client and a stranger reach at a port, before and after a packet."""
        before = self.greeted(port)
        self.fwknop(*words)
        settled()
        end = time.monotonic() + 2
        while not self.greeted(port) and time.monotonic() < end:
            time.sleep(0.1)
        return before, self.greeted(port), self.greeted(port, STRANGER)
