#!/usr/bin/env python3
"""Scans of ports by real tools, and those who only look like one.

    SERENO_BIN=/path/to/sereno scans.py [-v]          (root; tests/lab/setup doors has run)
"""

import datetime
import json
import random
import re
import socket
import subprocess
import time
import unittest

import doors_attacked
import fixture
import house
import net
from house import CLIENT, SERVER, SOON, STRANGER, V4, V6

# The world may see the web page and what echoes; everything else is closed to it.
POLICY = """ignoreip = ["203.0.113.99"]
[gate]
local = ["10.20.30.0/24"]
rules = ["allow https", "allow udp/7000"]
"""
JAIL = "[jail.portscan]\n"
KNOCK = (17341, 52877, 30429, 21874)
DOOR = f'[door.ssh]\nports = "tcp/22"\nknock = {list(KNOCK)}\n'
LOGINS = '[jail.sshd]\nlogpath = ["@WORK@/auth.log"]\n'
LENGTH, CROWD = 600, 256
SERVERS = {V4: net.server_address(SERVER, V4), V6: net.server_address(SERVER, V6)}


class Searched(house.HouseCase):
    """What scanners and others do, and what became of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.house.echo(SERVER, 7000)

    def guarding(self, more=JAIL):
        """Sereno with its policy in force."""
        self.write("auth.log", "")
        porter = self.doors(POLICY + more)
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        return porter

    def nmap(self, *words, source, wait=True):
        """A scan as a process, or until it is over."""
        family = net.family_of(source)
        words = ["nmap", "-n", "-Pn", "-T4", "--max-retries", "1", "--host-timeout", "20s", "-e", "eth0", "-S", source,
                 *["-6"] * (family == V6), *words, SERVERS[family]]  # fmt: skip
        words = ["setpriv", "--pdeathsig", "KILL", *words]
        scan = subprocess.Popen(self.house.net.command(STRANGER, *words), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        self.addCleanup(scan.wait)
        self.addCleanup(scan.kill)
        if wait:
            self.assertEqual(scan.wait(60), 0)
        return scan

    def bans(self, porter):
        """Who is out, with all that is known of it."""
        return {ban["addr"]: ban for ban in json.loads(porter.order("bans", "--json"))}

    def is_out(self, porter, source):
        return any(source in prefix or prefix.endswith("/64") and ":" in source for prefix in self.bans(porter))

    def tries(self, ports, source, role=STRANGER, udp=False, family=V4):
        """Turns to ports from an address, without waiting for anything."""

        def work():
            for port in ports:
                with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as sock:
                    sock.setblocking(False)
                    sock.bind((source, 0))
                    if udp:
                        sock.sendto(b"hello", (SERVERS[family], port))
                    else:
                        sock.connect_ex((SERVERS[family], port))
                        # A SYN leaves at once; a socket that is closed sends no more.

        net.in_namespace(self.house.net.name(role), work)

    def assert_out(self, porter, source):
        out = fixture.await_true(lambda: self.is_out(porter, source), SOON, 0.05)
        self.assertTrue(out, f"{source} is not out: {porter.said()}")

    def assert_in(self, porter, *sources):
        time.sleep(0.5)
        out = self.bans(porter)
        for source in sources:
            self.assertNotIn(source, out, porter.said())

    def check_scan(self, porter, source, *words):
        begun = time.monotonic()
        scan = self.nmap(*words, source=source, wait=False)
        self.assert_out(porter, source)
        took = time.monotonic() - begun
        family = net.family_of(source)
        self.assertFalse(self.house.reaches(STRANGER, 443, family, source))
        print(f" ({words[0]} {took:.2f} s)", end="", flush=True)
        scan.kill()


class Portscans(Searched):
    def test_scans_of_nmap_are_shut_out(self):
        porter = self.guarding()
        kinds = (
            ("203.0.113.5", "-sS", "-p", "1-1000"),
            # It connects, where it can, and hangs up.
            ("203.0.113.6", "-sT", "-p", "1-1000"),
            ("203.0.113.7", "-sU", "-p", "53,67,69,111,123,137,161,500,514,520,631,1900"),
            ("203.0.113.8", "-sU", "-g", "53", "-p", "1000-1100"),
            ("2001:db8:bad::9", "-sS", "-p", "1-1000"),
        )
        for source, *words in kinds:
            with self.subTest(source=source, words=words):
                self.check_scan(porter, source, *words)
        self.assertTrue(self.house.reaches(STRANGER, 443, source="203.0.113.50"))
        for ban in self.bans(porter).values():
            self.assertEqual((ban["jail"], ban["because"], ban["count"]), ("portscan", "ports", 6))
            self.assertEqual(round(seconds(ban["until"]) - seconds(ban["time"])), LENGTH)
        why = porter.order("why", "203.0.113.5")
        self.assertEqual(len(set(re.findall(r"closed (tcp/\d+) at 198.51.100.24 from 203.0.113.5", why))), 6, why)
        status = porter.order("status")
        self.assertRegex(status, r"closed ports at the gate")
        self.assertNotIn("ALARM", status)
        porter.order("unban", "203.0.113.5")
        self.assertTrue(self.house.reaches(STRANGER, 443, source="203.0.113.5"))

    def test_without_the_jail_nobody_is_shut_out(self):
        porter = self.guarding(LOGINS)
        self.nmap("-sS", "-p", "1-200", source="203.0.113.5")
        self.assert_in(porter, "203.0.113.5")

    def test_who_makes_mistakes_is_no_scanner(self):
        porter = self.guarding()
        browser, phone, route, late = (f"203.0.113.{host}" for host in (20, 21, 22, 23))
        for _ in range(5):
            self.tries((8080, 8443, 3000), browser)
        for _ in range(20):
            self.tries((5060, 5061), phone, udp=True)
            self.tries((5060, 5061), phone)
        self.tries(range(10_000, 10_200, 2), phone, udp=True)
        for words in ([], ["-U"], ["-T"]):
            self.house.run(STRANGER, "traceroute", "-n", "-s", route, "-w", "0.1", *words, SERVERS[V4])
        # What was asked is answered late, and from where nothing was asked.
        with net.in_namespace(self.house.net.name(SERVER), lambda: socket.socket(V4, socket.SOCK_DGRAM)) as asks:
            asks.sendto(b"?", (late, 53))
        self.tries(random.sample(range(30_000, 60_000), 40), late, udp=True)
        self.tries((113,), late)
        self.assert_in(porter, browser, phone, route, late)

    def test_who_is_known_is_no_scanner(self):
        porter = self.guarding(JAIL + DOOR + LOGINS)
        many = range(2000, 2030)
        customer, friend, phone, user = "203.0.113.30", "203.0.113.99", "10.20.30.7", "203.0.113.31"
        with self.house.connect(STRANGER, 443, source=customer) as at_work:
            self.assertTrue(house.echoes(at_work))
        with open(f"{self.work}/auth.log", "a", encoding="ascii") as log:
            day = time.strftime("%b %e %H:%M:%S")
            log.write(f"{day} pbx sshd[9]: Accepted password for ana from {user} port 50000 ssh2\n")
        greeted = lambda: json.loads(porter.order("status", "--json"))["jails"]
        self.assertTrue(fixture.await_true(lambda: any(jail["successes"] for jail in greeted()), SOON), porter.said())
        for source, role in ((customer, STRANGER), (friend, STRANGER), (user, STRANGER), (phone, CLIENT)):
            self.tries(many, source, role)
        self.house.knock(KNOCK)
        self.assert_opens()
        self.tries(many, net.server_address(CLIENT), CLIENT)
        self.assert_in(porter, customer, friend, user, phone, net.server_address(CLIENT))
        # Who does not know the knock hits its ports in vain, and is no scanner for that either.
        self.house.knock(reversed(KNOCK), role=STRANGER)
        self.assert_in(porter, net.server_address(STRANGER))
        self.tries(many, "203.0.113.32")
        self.assert_out(porter, "203.0.113.32")

    def test_a_ban_ends_nothing_and_a_restart_ends_no_ban(self):
        """Whoever's address is forged goes on, but for what he begins; and this machine gets its answers."""
        porter = self.guarding()
        source = "203.0.113.40"
        with self.house.connect(STRANGER, 443, source=source) as at_work:
            self.house.flood(STRANGER, "--port", "random", "--source", source, "--rate", 1000, "--seconds", 1)
            self.assert_out(porter, source)
            for again in (lambda: None, porter.kill, porter.stop):
                again()
                if again.__name__ != "<lambda>":
                    self.flush()
                    porter.start()
                with self.subTest(again=again.__name__):
                    self.assertFalse(self.house.reaches(STRANGER, 443, source=source))
                    self.assertTrue(house.echoes(at_work))
            with_answer = net.in_namespace(self.house.net.name(STRANGER), lambda: bound_at(source, 5353))
            asks = net.in_namespace(self.house.net.name(SERVER), lambda: socket.socket(V4, socket.SOCK_DGRAM))
            with with_answer, asks:
                asks.settimeout(1)
                asks.sendto(b"?", (source, 5353))
                with_answer.sendto(b"!", with_answer.recvfrom(8)[1])
                self.assertEqual(asks.recv(8), b"!")

    def test_it_says_what_is_amiss(self):
        self.write("auth.log", "")
        porter = self.doors(POLICY + JAIL)
        self.assertIn("no policy of the gate is in force", porter.ask("status").stdout)
        self.nmap("-sS", "-p", "1-100", source="203.0.113.5")
        self.assert_in(porter, "203.0.113.5")
        # A policy that is tried puts out nobody: it may be wrong.
        self.gate(porter, "apply", "--force")
        self.nmap("-sS", "-p", "1-100", source="203.0.113.5")
        self.assert_in(porter, "203.0.113.5")
        self.assertNotIn("ALARM", porter.order("status"))
        self.gate(porter, "confirm")
        self.check_scan(porter, "203.0.113.5", "-sS", "-p", "1-1000")
        porter.stop()
        self.write("sereno.toml", POLICY + JAIL + 'logpath = ["/var/log/kern.log"]\nbantime = "1w"\n')
        said = porter.ask("check", "--config", f"{self.work}/sereno.toml").stdout
        self.assertIn("reads no log", said)
        self.assertIn("in the name of anybody", said)


class PortscanFloods(Searched):
    def test_made_up_sources_keep_nobody_out(self):
        """20,000 packets a second of sources that are not: knocks open, memory stays, scans are seen."""
        porter = self.guarding(JAIL + DOOR)
        knock = lambda: self.house.knock(KNOCK)
        flood = ("--port", "random", "--rate", 20_000)
        came, figures = doors_attacked.under(self, porter, flood, knock, door="ssh")
        doors_attacked.told("random ports, made-up sources", came, 10, figures)
        self.assertEqual(came, 10)
        self.assertLess(figures["MB"], 60)
        process = self.house.flood(STRANGER, *flood, "--seconds", 30, wait=False)
        # It takes a while to make the packets.
        time.sleep(3)
        try:
            self.nmap("-sS", "-p", "1-5000", source="203.0.113.5", wait=False)
            out = fixture.await_true(lambda: self.is_out(porter, "203.0.113.5"), 15, 0.05)
            self.assertTrue(out, "a scan hides in the flood")
        finally:
            process.send_signal(2)
            self.assertGreater(house.counted(process)["rate"], 15_000)
        self.assertLessEqual(len(self.bans(porter)), CROWD)

    def test_who_makes_up_many_addresses_shuts_out_few_and_for_a_short_time(self):
        porter = self.guarding()
        ports = ",".join(map(str, range(21, 33)))
        self.house.flood(STRANGER, "--port", ports, "--rate", 5000, "--sources", 600, "--seconds", 20)
        out = self.bans(porter)
        self.assertEqual(len(out), CROWD)
        self.assertTrue(all(seconds(ban["until"]) - seconds(ban["time"]) <= LENGTH + 1 for ban in out.values()))
        self.assertIn(f"{CROWD} addresses are out", porter.ask("status").stdout)
        self.assertTrue(self.house.reaches(STRANGER, 443, source="203.0.113.50"))


def seconds(when):
    """A time as JSON has it, in seconds."""
    return datetime.datetime.fromisoformat(when).timestamp()


def bound_at(source, port):
    sock = socket.socket(V4, socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.bind((source, port))
    return sock


class PortscansByIptables(Portscans):
    """The same where iptables enforces it."""

    backend = "iptables"


class PortscansByOldIptables(Portscans):
    """The same with iptables in its old form."""

    backend = "legacy"


class PortscanFloodsByIptables(PortscanFloods):
    backend = "iptables"


if __name__ == "__main__":
    unittest.main()
