#!/usr/bin/env python3
"""SYNs that the kernel answers for programs: floods of them, real clients, and who gets no answer.

    SERENO_BIN=/path/to/sereno proxies.py [-v]          (root; tests/lab/setup doors has run)
"""

import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
import unittest

import fixture
import house
import net
import servers
from house import BOTH, CLIENT, SERVER, STRANGER, V4, V6
from policy import Policies

# SYNs a second, and for how long: some 16,000 made-up sources.
RATE, SECONDS = 4000, 4
WEB, SSH, DOOR = 8080, 2022, 2222
RULES = f'"allow ssh, https, tcp/{WEB}, tcp/{SSH}, tcp/{DOOR}"'
PROXY = f'\n[flood]\nports = []\nsyn_proxy = ["ssh", "https", "tcp/{WEB}", "tcp/{SSH}", "tcp/{DOOR}"]\n'
KNOCK = (7311, 2904, 5127)
SHUT = f'\n[door.ssh]\nports = "tcp/{DOOR}"\nknock = {list(KNOCK)}\n'
# Bytes of a transfer.
LONG = 24 << 20


class Pages(http.server.BaseHTTPRequestHandler):
    """Gives a page, and takes one: the same bytes."""

    page = os.urandom(LONG)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(LONG))
        self.end_headers()
        self.wfile.write(self.page)

    def do_PUT(self):
        came = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if came == self.page else 400)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server6(http.server.ThreadingHTTPServer):
    address_family = V6


class Proxies(Policies):
    def kernel(self, setting, value=None):
        """Reads or writes a setting of the server's kernel."""
        words = ["sysctl", "-n", setting] if value is None else ["sysctl", "-qw", f"{setting}={value}"]
        before = self.house.run(SERVER, "sysctl", "-n", setting).strip()
        if value is not None:
            self.addCleanup(self.house.run, SERVER, "sysctl", "-qw", f"{setting}={before}")
        return self.house.run(SERVER, *words).strip()

    def proxy(self, options=PROXY):
        """Sereno with a policy in force, and these lines more."""
        porter = self.guarding(RULES, options=options)
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        return porter

    def answers(self, role, port, family=V4, source=None):
        """Whether anybody answers a SYN: `yes`, `refused` or `no`."""

        def ask():
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.settimeout(house.DEAF)
                if source:
                    sock.bind((source, 0))
                try:
                    sock.connect((net.server_address(SERVER, family), port))
                except ConnectionRefusedError:
                    return "refused"
                except OSError:
                    return "no"
                return "yes"

        return net.in_namespace(self.house.net.name(role), ask)

    def answered(self):
        """SYNs that the proxy answered."""
        told = self.house.run(SERVER, "nft", "-j", "list", "counter", "inet", "sereno", "syn_answered")
        return json.loads(told)["nftables"][1]["counter"]["packets"]

    def half_open(self):
        return len(self.house.run(SERVER, "ss", "-Htn", "state", "syn-recv").splitlines())

    def flooded(self):
        """A flood to the port of ssh, in which somebody connects all the time: how often he did not within a second,
        how often he tried, entries of connection tracking and half-open connections at most."""
        begun = int(self.kernel("net.netfilter.nf_conntrack_count"))
        flood = self.house.flood(STRANGER, "--port", "22", "--rate", str(RATE), "--seconds", str(SECONDS), wait=False)
        tries = bad = tracked = half = 0
        while flood.poll() is None:
            for family in BOTH:
                sock = self.house.connect(CLIENT, 22, family, seconds=1.0)
                bad, tries = bad + (sock is None), tries + 1
                if sock:
                    self.assertTrue(house.echoes(sock, 1.0))
                    sock.close()
            tracked = max(tracked, int(self.kernel("net.netfilter.nf_conntrack_count")) - begun)
            half = max(half, self.half_open())
            time.sleep(0.1)
        sent = house.counted(flood)
        self.assertGreater(sent["sent"], RATE * SECONDS * 0.7)
        print(f" ({sent['rate']:,.0f} SYNs a second: {bad} of {tries} bad, {tracked} tracked, {half} half open)", end="", flush=True)
        return bad, tries, tracked, half

    def test_a_flood_shuts_nobody_out_and_leaves_nothing_behind(self):
        # The host does not help itself, has room for few, and remembers nobody; answers to made-up sources have
        # somewhere to go.
        self.kernel("net.ipv4.tcp_syncookies", 0)
        self.kernel("net.ipv4.tcp_max_syn_backlog", 64)
        self.kernel("net.ipv4.tcp_no_metrics_save", 1)
        self.house.run(SERVER, "ip", "tcp_metrics", "flush")
        self.house.run(SERVER, "ip", "route", "replace", "default", "via", net.server_address(STRANGER, V4))
        self.addCleanup(self.house.run, SERVER, "ip", "route", "del", "default")
        porter = self.proxy()
        bad, tries, tracked, half = self.flooded()
        self.assertEqual((bad, half), (0, 0))
        self.assertGreater(tries, 10)
        # What is over stays there for two minutes.
        self.assertLess(tracked, 2 * tries + 50)
        self.assertGreater(self.answered(), RATE * SECONDS * 0.7)
        # Without it.
        self.write("sereno.toml", self.read("sereno.toml").replace(PROXY, ""))
        porter.order("reload")
        bad, tries, tracked, half = self.flooded()
        self.assertGreater(bad, tries // 3)
        self.assertGreater(tracked, RATE * SECONDS * 0.5)
        self.assertGreater(half, 20)

    def test_real_clients_get_everything_through(self):
        self.proxy()
        pages = net.in_namespace(self.house.net.name(SERVER), lambda: Server6(("::", WEB), Pages))
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        self.addCleanup(pages.server_close)
        self.addCleanup(pages.shutdown)
        sshd = servers.start_sshd(self.house.net, SERVER, f"{self.work}/sshd", changes=f"\nPort {SSH}\n")
        self.addCleanup(sshd.stop)
        long = self.write("long", "")
        with open(long, "wb") as out:
            out.write(Pages.page)
        for loose in (1, 0):
            self.kernel("net.netfilter.nf_conntrack_tcp_loose", loose)
            for family in BOTH:
                with self.subTest(loose=loose, family=family):
                    before, address = self.answered(), net.server_address(SERVER, family)
                    host = f"[{address}]" if family == V6 else address
                    curl = ["curl", "-sS", "--max-time", "30", f"http://{host}:{WEB}/"]
                    call = self.house.net.command(CLIENT, *curl)
                    self.assertEqual(subprocess.run(call, capture_output=True, check=True).stdout, Pages.page)
                    said = self.house.run(CLIENT, *curl, "-T", long, "-o", "/dev/null", "-w", "%{http_code}")
                    self.assertEqual(said, "204")
                    ssh = ["sshpass", "-p", servers.SSH_PASSWORD, "ssh", "-F", "none", "-T", "-p", str(SSH),
                           "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                           "-o", "PubkeyAuthentication=no", "-l", servers.SSH_USER, address, "cat"]  # fmt: skip
                    with open(long, "rb") as given:
                        done = subprocess.run(self.house.net.command(CLIENT, *ssh), stdin=given, capture_output=True, timeout=60)
                    self.assertEqual((done.returncode, done.stdout == Pages.page), (0, True), done.stderr)
                    self.assertEqual(self.answered() - before, 3)
        self.assertIn(f"from {net.server_address(CLIENT, V4)} port", self.read("sshd/auth.log"), "sshd sees who it is")

    def test_who_speaks_first_is_heard_at_once(self):
        self.proxy()
        for family in BOTH:
            begun = time.monotonic()
            self.house.connect(CLIENT, 22, family, seconds=3.0).close()
            self.assertLess(time.monotonic() - begun, 0.7, family)

    def test_who_is_out_gets_no_answer(self):
        porter = self.proxy(PROXY + SHUT)
        self.house.listen(SERVER, DOOR)
        self.assertEqual([self.answers(STRANGER, 443, family) for family in BOTH], ["yes", "yes"])
        self.assertEqual(self.answers(STRANGER, WEB), "refused", "nobody listens there")
        self.assertEqual([self.answers(CLIENT, DOOR, family) for family in BOTH], ["no", "no"])
        before = self.answered()
        self.assertEqual(self.answers(STRANGER, 8088), "no", "no line lets him in")
        for family in BOTH:
            porter.order("ban", net.server_address(STRANGER, family))
            self.assertEqual(self.answers(STRANGER, 443, family), "no")
        self.assertEqual(self.answered(), before)
        self.house.knock(KNOCK)
        self.assert_opens(CLIENT, DOOR)
        self.assertEqual(self.answers(STRANGER, DOOR, source="203.0.113.50"), "no")
        self.assertGreater(self.answered(), before)
        said = self.gate(porter, "explain", "tcp", "203.0.113.51", "443")
        self.assertRegex(said, r"(?s)line 1: allow ssh, https.*SYN proxy answers first")
        self.assertNotIn("SYN proxy", self.gate(porter, "explain", "tcp", "203.0.113.51", "25", code=1))

    def test_what_is_under_way_goes_on_when_it_comes_and_goes(self):
        with self.house.connect(CLIENT, 22) as before, self.house.connect(CLIENT, 443, V6) as before6:
            porter = self.proxy()
            with self.house.connect(CLIENT, 22) as during, self.house.connect(STRANGER, 443, V6) as during6:
                self.assertEqual(self.answered(), 2)
                config = self.read("sereno.toml")
                for text in (config.replace(PROXY, ""), config, config.replace('"ssh", ', "")):
                    self.write("sereno.toml", text)
                    porter.order("reload")
                    for sock in (before, before6, during, during6):
                        self.assertTrue(house.echoes(sock, 2.0))
                # Somebody took everything away: it is put back, and goes on.
                self.flush()
                self.assertTrue(house.fixture.await_true(lambda: house.echoes(during6, 2.0), 15))
                self.assertTrue(house.echoes(during, 2.0))

    def test_what_makes_it_slow_is_said(self):
        self.kernel("net.ipv4.tcp_timestamps", 0)
        porter = self.proxy()
        alarms = lambda: json.loads(porter.ask("status", "--json").stdout)["alarms"]
        self.assertTrue([text for text in alarms() if "net.ipv4.tcp_timestamps" in text], alarms())
        rules = self.house.run(SERVER, "nft", "list", "chain", "inet", "sereno", "syn_answer")
        self.assertTrue("synproxy" in rules and "timestamp" not in rules, rules)
        self.assertTrue(self.house.reaches(STRANGER, 443))
        self.kernel("net.ipv4.tcp_timestamps", 1)
        self.kernel("net.ipv4.tcp_rmem", "4096 131072 67108864")
        self.house.run(SERVER, "ip", "link", "set", "eth0", "mtu", "1400")
        self.addCleanup(self.house.run, SERVER, "ip", "link", "set", "eth0", "mtu", "1500")
        # Nobody has to say anything.
        promised = lambda: self.house.run(SERVER, "nft", "list", "chain", "inet", "sereno", "syn_answer")
        self.assertTrue(fixture.await_true(lambda: "mss 1360" in promised(), 15), porter.said())
        self.assertFalse([text for text in alarms() if "tcp_timestamps" in text])
        rules = self.house.run(SERVER, "nft", "list", "chain", "inet", "sereno", "syn_answer")
        self.assertIn("synproxy mss 1360 wscale 11 timestamp sack-perm", rules)
        self.assertIn("synproxy mss 1340 wscale 11 timestamp sack-perm", rules)
        for family in BOTH:
            with self.house.connect(CLIENT, 443, family) as sock:
                self.assertTrue(house.echoes(sock))
                told = self.house.run(SERVER, "ss", "-Htino", "state", "established", "sport", "=", ":443")
                self.assertRegex(told, r"wscale:\d+,11\b", "what was promised is what the kernel does")


class ByIptables(Policies):
    """What iptables cannot do is left out, and said; the rest is there."""

    backend = "iptables"

    def test_the_rest_of_the_gate_is_there(self):
        porter = self.guarding('"allow https"', options=PROXY)
        self.gate(porter, "apply", "--force")
        self.assertTrue(self.house.reaches(STRANGER, 443))
        self.assertFalse(self.house.reaches(STRANGER, 22))
        alarms = json.loads(porter.ask("status", "--json").stdout)["alarms"]
        self.assertTrue([text for text in alarms if "SYNs are answered by nftables only" in text], alarms)


# Those of the policy itself are tests of their own module.
for case in (Proxies, ByIptables):
    for name in [name for name in dir(Policies) if name.startswith("test_")]:
        if name not in vars(case):
            setattr(case, name, None)
del Policies

if __name__ == "__main__":
    unittest.main()
