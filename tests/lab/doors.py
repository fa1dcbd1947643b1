#!/usr/bin/env python3
"""Doors held to real clients: who may come in comes in, and nobody else. What counts is whether packets arrive.

    SERENO_BIN=/path/to/sereno doors.py [-v]          (root; tests/lab/setup doors has run)
"""

import os
import re
import time
import unittest

import fixture
import house
from doors_attacked import Scans, Floods  # noqa: F401  they run with these
from doors_beside import Beside, OldForm  # noqa: F401
from doors_commands import Commands, Strict  # noqa: F401
from doors_guarded import Guarded, Rivals  # noqa: F401
from doors_iptables import GuardedByIptables, OlderByIptables, OlderByOldIptables, OwnByIptables, OwnByOldIptables  # noqa: F401
from doors_killed import Killed, Lasting  # noqa: F401
from doors_nat import Nat, NatAsFwknopd, NatBeside  # noqa: F401
from doors_older import Older  # noqa: F401
from doors_own import Own, Secret  # noqa: F401
from doors_signed import Fwknop, Signed  # noqa: F401
from house import BOTH, CLIENT, STRANGER

# As a page prints it: the lines are broken behind -j.
with open(os.path.join(os.path.dirname(__file__), "../data/knockd/printed.conf"), encoding="ascii") as printed:
    CONF = printed.read().replace("/var/log/knockd.log", "@WORK@/knockd.log")
SSH, HTTPS = (7000, 8000, 9000), (7001, 8001, 9001)


class Knockd(house.HouseCase):
    """A knockd.conf as it is, on a machine without another firewall."""

    def test_opens_and_closes_for_who_knocked(self):
        self.knockd(CONF)
        for family in BOTH:
            with self.subTest(family=family.name):
                for role in (CLIENT, STRANGER):
                    self.assert_shut(role, 22, family)
                    self.assert_shut(role, 443, family)
                self.assertTrue(self.house.reaches(STRANGER, 8088, family), "no door is there")
                for ports, port, other in ((SSH, 22, 443), (HTTPS, 443, 22)):
                    self.house.knock(ports, family=family)
                    self.assert_opens(port=port, family=family)
                    self.assert_shut(STRANGER, port, family)
                    self.assert_shut(port=other, family=family)
                    self.house.knock(reversed(ports), family=family)
                    self.assert_shuts(port=port, family=family)

    def test_one_family_does_not_open_the_other(self):
        self.knockd(CONF)
        self.house.knock(SSH)
        self.assert_opens()
        self.assert_shut(family=house.V6)

    def test_a_wrong_knock_opens_nothing(self):
        porter = self.knockd(CONF)
        for ports in ((7000, 9000, 8000), (8000, 9000), (7000, 8000), (7000, 1234, 8000, 9000), (9000, 7000, 8000)):
            with self.subTest(ports=ports):
                self.house.knock(ports)
                time.sleep(0.2)
                self.assert_shut()
                self.assertEqual(porter.heard()["knocked"], 0)
        # Who was wrong may try again at once, and a packet that comes twice does not matter.
        self.house.knock((7000, 7000, 8000, 8000, 9000))
        self.assert_opens()

    def test_too_slow_is_no_knock(self):
        self.knockd(CONF.replace("seq_timeout   = 5", "seq_timeout = 1"))
        self.house.knock(SSH, delay=600)
        time.sleep(0.2)
        self.assert_shut()
        self.house.knock(SSH, delay=300)
        self.assert_opens()

    def test_the_log_is_as_knockd_writes_it(self):
        self.knockd(CONF)
        self.house.knock(SSH)
        self.assert_opens()
        self.house.knock(HTTPS, family=house.V6)
        self.assert_opens(port=443, family=house.V6)
        want = []
        for addr, door in (("198.51.100.202", "openSSH"), ("2001:db8:100::202", "openHttps")):
            want += [f"{addr}: {door}: {what}" for what in ("Stage 1", "Stage 2", "Stage 3", "OPEN SESAME")]
        dated = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d\] (.*)")
        said = [match and match[1] for match in map(dated.fullmatch, self.read("knockd.log").splitlines())]
        self.assertEqual([line for line in said if line is None or "198.51" in line or "2001:" in line], want)

    def test_what_stands_open_goes_on_after_the_close(self):
        self.knockd(CONF)
        self.house.knock(SSH)
        self.assert_opens()
        with self.house.connect(CLIENT) as sock:
            self.house.knock(reversed(SSH))
            self.assert_shuts()
            self.assertTrue(house.echoes(sock))

    def test_start_and_stop_are_one_opening(self):
        """cmd_timeout ends it, and a second knock extends it."""
        rule = "/sbin/iptables -{} INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"
        porter = self.knockd(
            "[ssh]\nsequence = 7453,1874,5759\nseq_timeout = 5\ntcpflags = syn\ncmd_timeout = 3\n"
            f"start_command = {rule.format('I')}\nstop_command = {rule.format('D')}\n"
        )
        ports = (7453, 1874, 5759)
        self.house.knock(ports)
        self.assert_opens()
        time.sleep(1.8)
        self.house.knock(ports)
        again = time.monotonic()
        time.sleep(2)
        self.assertTrue(self.house.reaches(CLIENT), "the second knock did not extend the first")
        self.assert_shuts(seconds=4)
        self.assertGreater(time.monotonic() - again, 2.9)
        self.assertEqual(porter.entries("ssh"), set())

    def test_who_is_banned_is_not_let_in_silently(self):
        porter = self.knockd(CONF)
        porter.order("ban", "198.51.100.202")
        self.assertIn("sereno unban 198.51.100.202", porter.order("door", "open", "openSSH", "198.51.100.202"))
        self.assertFalse(self.house.reaches(CLIENT))
        porter.order("unban", "198.51.100.202")
        self.assertNotIn("unban", porter.order("door", "open", "openssh", "198.51.100.202"))
        self.assert_opens()
        listed = porter.listed()[0]
        self.assertTrue(listed["closessh"]["closes"] and not listed["openssh"]["closes"])
        self.assertIn("closes tcp/22", porter.order("door", "list"))

    def test_by_hand(self):
        porter = self.knockd(CONF)
        porter.order("door", "open", "openssh", "198.51.100.202")
        self.assert_opens()
        self.assertEqual(porter.entries("openssh"), {"198.51.100.202"})
        porter.order("door", "close", "openssh", "198.51.100.202")
        self.assert_shuts()
        self.assertEqual(porter.ask("door", "close", "openssh", "198.51.100.202").returncode, 1)
        porter.order("door", "open", "openssh", "198.51.100.202", "--for", "2s")
        self.assert_opens()
        self.assert_shuts(seconds=4)
        self.assertTrue(fixture.await_true(lambda: not porter.entries("openssh")))


if __name__ == "__main__":
    unittest.main()
