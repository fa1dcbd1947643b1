#!/usr/bin/env python3
"""What may leave the machine: policies with lines of `out`, as an administrator tries, keeps and loses them. What
counts is what a program on the machine sees that connects and sends.

    SERENO_BIN=/path/to/sereno leaving.py [-v]          (root; tests/lab/setup doors has run)
"""

import json
import secrets
import socket
import struct
import subprocess
import time
import unittest

import guard
import house
import net
from fixture import await_true
from house import BOTH, CLIENT, SERVER, STRANGER, V4, V6

# Everybody gets in; what leaves is what the tests are about.
POLICY = """[gate]
trusted = ["198.51.100.202", "2001:db8:100::202", "10.20.30.0/24", "2001:db8:900d::/64"]
rules = ["allow ssh, https"]
"""
OUT = ("allow dns to 198.51.100.201 2001:db8:100::201   # the resolver", "allow https", "allow tcp/8088 to trusted")
# A trial lasts so long, and is over this much later at most; what is refused is so within this.
TRIAL, SOON, AT_ONCE = 5, 1.5, 0.3
# Where others listen: the stranger and the client alike.
PORTS = (25, 443, 8088)


class Leaving(house.HouseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for role in (STRANGER, CLIENT):
            for port in PORTS:
                cls.house.listen(role, port)
            for port in (53, 5060):
                cls.house.echo(role, port)

    def guarding(self, *out, options=""):
        """Sereno with a policy in its file that nobody has applied yet."""
        return self.doors(self.policy(*(out or OUT)) + options)

    def policy(self, *out):
        return f"{POLICY}out = {json.dumps(out)}\n"

    def in_force(self, *out, options=""):
        porter = self.guarding(*out, options=options)
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        return porter

    def connect(self, role, port, family=V4, seconds=1.0, to=None):
        """A connection that the server begins, on which it was greeted."""

        def make():
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(seconds)
            try:
                sock.connect((to or net.server_address(role, family), port))
                self.assertEqual(sock.recv(2), b"hi")
                return sock
            except OSError:
                sock.close()
                raise

        return net.in_namespace(self.house.net.name(SERVER), make)

    def answered(self, role, port, family=V4, bind=0):
        """Whether a datagram of the server is answered; PermissionError where it may not leave."""

        def ask():
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(1.0)
                sock.bind(("", bind))
                sock.sendto(b"?", (net.server_address(role, family), port))
                return sock.recv(8) == b"?"

        return net.in_namespace(self.house.net.name(SERVER), ask)

    def ping(self, role, family):
        """Sends an echo request (RFC 792, RFC 4443); PermissionError where it may not leave."""
        number, kind = (socket.IPPROTO_ICMPV6, 0x8000) if family == V6 else (socket.IPPROTO_ICMP, 0x0800)
        # Another number each time, or it would be of a conversation that goes on. The kernel fills in the sum of ICMPv6.
        mark = secrets.randbits(15)
        request = struct.pack("!HHHH", kind, 0xFFFF - kind - mark, mark, 0)

        def send():
            with socket.socket(family, socket.SOCK_RAW, number) as sock:
                sock.sendto(request, (net.server_address(role, family), 0))

        net.in_namespace(self.house.net.name(SERVER), send)

    def leaves(self, role, port, family=V4):
        """Whether a connection comes about. What does not leave is refused at once."""
        begun = time.monotonic()
        try:
            self.connect(role, port, family).close()
            return True
        except ConnectionRefusedError:
            self.assertLess(time.monotonic() - begun, AT_ONCE)
            return False

    def assert_kept(self, role, port, family=V4, bind=0):
        """A datagram does not leave, and who sends it hears so at once."""
        begun = time.monotonic()
        with self.assertRaises(PermissionError, msg=f"{role} {port} {family}"):
            self.answered(role, port, family, bind)
        self.assertLess(time.monotonic() - begun, AT_ONCE)

    def assert_free(self):
        """As without a policy: everything leaves."""
        for family in BOTH:
            self.assertTrue(self.leaves(STRANGER, 25, family))
            self.assertTrue(self.answered(STRANGER, 5060, family))

    def assert_strict(self):
        for family in BOTH:
            with self.subTest(family=family):
                self.assertTrue(self.leaves(STRANGER, 443, family) and self.leaves(CLIENT, 8088, family))
                self.assertTrue(self.answered(STRANGER, 53, family))
                self.assertFalse(self.leaves(STRANGER, 25, family) or self.leaves(STRANGER, 8088, family))
                self.assert_kept(STRANGER, 5060, family)
                self.assert_kept(CLIENT, 53, family)

    def counts(self, porter):
        return dict(map(tuple, json.loads(self.gate(porter, "show", "--json"))["counts"]))

    def test_what_no_line_is_about_is_refused_at_once(self):
        self.in_force()
        # Neighbours have to be found again.
        self.house.run(SERVER, "ip", "neigh", "flush", "dev", "eth0")
        self.assert_strict()
        for family in BOTH:
            self.assertTrue(self.house.reaches(STRANGER, 22, family), "who comes in is answered")
        for to, family in (("127.0.0.1", V4), ("::1", V6), (net.server_address(SERVER, V4), V4)):
            self.connect(SERVER, 22, family, to=to).close()
        for family in BOTH:
            with self.assertRaises(PermissionError):
                self.ping(STRANGER, family)

    def test_who_asks_for_an_address_may_and_nobody_else_by_that(self):
        porter = self.in_force("allow tcp to trusted")
        with self.assertRaises(TimeoutError, msg="nobody answers there"):
            self.answered(STRANGER, 67, bind=68)
        for port, bind in ((53, 68), (67, 0), (68, 67)):
            self.assert_kept(STRANGER, port, bind=bind)
        self.assertGreaterEqual(self.counts(porter)["out_rest"], 3)

    def test_what_is_under_way_goes_on_and_a_trial_ends_by_itself(self):
        """Also if Sereno dies. Nobody tracked these connections before."""
        for kill in (False, True):
            with self.subTest(kill=kill):
                porter = self.guarding()
                self.assert_free()
                with self.house.connect(STRANGER, 22) as session, self.connect(STRANGER, 25) as own:
                    begun = time.monotonic()
                    self.gate(porter, "apply", "--force", "--for", f"{TRIAL}s", session=net.server_address(STRANGER))
                    self.assertTrue(house.echoes(own), "what this machine began")
                    self.assertTrue(house.echoes(session), "what it answers")
                    self.assertFalse(self.leaves(STRANGER, 25))
                    if kill:
                        porter.kill()
                    self.assertLess(time.monotonic() - begun, TRIAL, "the test was too slow to see it")
                    time.sleep(max(0.0, begun + TRIAL + SOON - time.monotonic()))
                    self.assert_free()
                    self.assertTrue(house.echoes(session) and house.echoes(own))
                porter.stop()
                self.flush()

    def test_what_was_confirmed_comes_back(self):
        porter = self.in_force()
        self.assert_strict()
        for end in (porter.stop, porter.kill):
            end()
            self.flush()
            self.assert_free()
            porter.start()
            self.assert_strict()
        # Without lines about it everything leaves again: that is told, and tried like anything else.
        self.write("sereno.toml", POLICY)
        said = self.gate(porter, "apply", "--for", f"{TRIAL}s")
        self.assertIn("- out: allow https", said)
        self.assertIn("- everything else that this machine begins is refused", said)
        self.assert_free()
        self.gate(porter, "revert")
        self.assert_strict()

    def test_it_is_told_by_lines(self):
        porter = self.in_force()
        self.assertTrue(self.leaves(STRANGER, 443))
        self.assertFalse(self.leaves(STRANGER, 25))
        counts = self.counts(porter)
        self.assertGreaterEqual(counts["out_rule_2"], 1)
        self.assertGreaterEqual(counts["out_rest"], 1)
        shown = self.gate(porter, "show")
        self.assertRegex(shown, r"[1-9]\d* +2 +allow https\n")
        self.assertRegex(shown, r"[1-9]\d* +everything else that this machine begins is refused")
        stopped = json.loads(self.gate(porter, "top", "--json"))
        self.assertTrue([count for reason, count in stopped if reason == "out_rest" and count])
        self.assertFalse([reason for reason, _ in stopped if isinstance(reason, dict) and "out" in reason], "what lets out stops nothing")

    def test_what_is_explained_is_what_happens(self):
        porter = self.in_force(*OUT, "drop tcp/25 to trusted")
        for family in BOTH:
            for role in (STRANGER, CLIENT):
                addr = net.server_address(role, family)
                for port in (443, 8088):
                    leaves = self.leaves(role, port, family)
                    said = self.gate(porter, "explain", "--out", "tcp", addr, str(port), code=0 if leaves else 1)
                    self.assertIn("leaves: line" if leaves else "does not leave: no line of out", said)
        dropped = self.gate(porter, "explain", "--out", "tcp", net.server_address(CLIENT), "25", code=1)
        self.assertIn("line 4 of out: drop tcp/25 to trusted", dropped)
        self.assertIn("networks need it", self.gate(porter, "explain", "--out", "tcp", "127.0.0.1", "25"))
        self.gate(porter, "explain", "--out", "ping", "203.0.113.9", code=1)
        self.write("sereno.toml", self.policy("allow ping"))
        self.gate(porter, "apply", "--force")
        for family in BOTH:
            self.ping(STRANGER, family)
        self.gate(porter, "explain", "--out", "ping", "203.0.113.9")

    def test_who_is_needed_is_not_cut_off_unasked(self):
        stranger, client = (net.server_address(role) for role in (STRANGER, CLIENT))
        self.write("resolv.conf", f"nameserver {stranger}\nnameserver 127.0.0.1\n")
        self.write("sereno.toml", self.policy("allow https"))
        porter = house.Porter(self.house, self.work, "--config", f"{self.work}/sereno.toml")
        mount = f'mount --bind {self.work}/resolv.conf "$(realpath /etc/resolv.conf)" && exec "$@"'
        porter.prefix = ("unshare", "--mount", "sh", "-c", mount, "-")
        self.addCleanup(porter.stop)
        porter.start()
        trunk = net.in_namespace(self.house.net.name(SERVER), lambda: socket.socket(V4, socket.SOCK_DGRAM))
        with trunk, self.connect(STRANGER, 25):
            trunk.connect((client, 5060))
            expected = (f"to {stranger} at udp/53: a name server", f"to {stranger} at tcp/25: a connection that this machine began",
                        f"to {client} at udp/5060: a connection that this machine began")  # fmt: skip
            refused, shown = self.gate(porter, "apply", code=1), self.gate(porter, "diff", code=None)
            for line in expected:
                self.assertIn(line, refused)
                self.assertIn(f"would not leave: {line}", shown)
            self.assert_free()
            self.assertIn("cut off: to", self.gate(porter, "apply", "--force"))
            self.gate(porter, "revert")
            # What other tests began is under way for connection tracking still.
            self.write("sereno.toml", self.policy("allow dns", "allow tcp/25", "allow sip"))
            self.gate(porter, "apply")
            self.assertTrue(self.answered(STRANGER, 53) and self.answered(CLIENT, 5060))
            self.assert_kept(STRANGER, 4569)

    def test_in_a_panic_no_more_leaves_than_before(self):
        porter = self.in_force()
        self.gate(porter, "panic", top=True)
        for family in BOTH:
            self.assertFalse(self.house.reaches(CLIENT, 22, family))
            self.assert_kept(STRANGER, 5060, family)
        self.gate(porter, "resume", top=True)
        self.assert_strict()

    def test_checked_and_saved(self):
        porter = self.in_force()
        self.assertIn("nft accepts the text", self.gate(porter, "check", "--config", f"{self.work}/sereno.toml"))
        self.assertIn("allow dns to 198.51.100.201", self.gate(porter, "save"))
        exported = json.loads(self.gate(porter, "export", "--form", "json"))
        self.assertEqual([rule["text"] for rule in exported["out"]], list(OUT))
        self.write("sereno.toml", self.gate(porter, "save"))
        self.assertIn("in force already", self.gate(porter, "apply"))
        for wrong, said in (("allow dns from local", "what goes out comes from this machine"), ("allow shs", "did you mean ssh")):
            self.write("sereno.toml", self.policy(wrong))
            self.assertIn(said, self.gate(porter, "check", "--config", f"{self.work}/sereno.toml", code=1))
        self.write("sereno.toml", self.policy("allow tcp", "drop smtp"))
        checked = subprocess.run([guard.BINARY, "check", "--config", f"{self.work}/sereno.toml"], capture_output=True, text=True)
        self.assertIn("never decides", checked.stdout + checked.stderr)


class LeavingByIptables(Leaving):
    """The same where iptables enforces it."""

    backend = "iptables"


class LeavingByOldIptables(Leaving):
    """The same with iptables in its old form."""

    backend = "legacy"


if __name__ == "__main__":
    unittest.main()
