"""Floods of SIP against a real Asterisk: whoever is known goes on to register and to call."""

import json
import os
import re
import subprocess
import time
import unittest

import fixture
import net
from guarded import Guarded

FLOODER, PHONE, LATER = "203.0.113.50", "10.20.30.7", "10.20.30.8"
RATE, SECONDS = 20_000, 8
# What one stranger may send, and all of them, if nobody says otherwise: a second, and at once.
STRANGER, STRANGERS = (10, 100), (200, 250)
KNOWN, CALLED = "flood_known_v4", "flood_called_v4"
# What the log says once of each request of a flood; the phones of the tests have three digits.
TOLD = {"srv16": r'"ChallengeSent".*AccountID="\d{4}"', "srv22": r'"InvalidAccountID"'}
TRUNK = """
[trunk]
type = registration
transport = udp
server_uri = sip:203.0.113.80
client_uri = sip:exchange@203.0.113.80
"""


class Floods(Guarded):
    def start(self, role, text="\n[flood]\n"):
        """A guard with these lines more in its configuration."""
        self.lab.server(role)
        # Answers to strangers have somewhere to go, though nobody is there.
        way = ["ip", "-n", self.lab.net.name(role), "route", "replace", "default", "via", net.server_address("attack")]
        subprocess.run(way, check=True)
        guard = self.guard(role)
        with open(f"{guard.work}/guard.toml", "a", encoding="ascii") as config:
            config.write(text)
        guard.order("reload")
        return guard

    def pour(self, role, *words, rate=RATE, seconds=SECONDS):
        """A flood of requests, as a process; it ends with the test."""
        link = subprocess.run(["ip", "-n", self.lab.net.name(role), "-j", "link", "show", "eth0"], capture_output=True, check=True)
        words = ["setpriv", "--pdeathsig", "KILL", f"{os.path.dirname(os.path.abspath(__file__))}/flood.py",
                 "--mac", json.loads(link.stdout)[0]["address"], "--to", net.server_address(role), "--port", "5060",
                 "--sip", "REGISTER", "--rate", str(rate), "--seconds", str(seconds), *map(str, words)]  # fmt: skip
        flood = subprocess.Popen(self.lab.net.command("attack", *words), stdout=subprocess.PIPE, text=True)
        self.addCleanup(flood.stdout.close)
        return flood

    def too_many(self, guard):
        """Packets that were too many, by what."""
        rows = json.loads(guard.order("gate", "top", "--once", "--json"))
        return {row[0]["flood"]: row[1] for row in rows if "flood" in row[0]}

    def members(self, role, name):
        words = self.lab.net.command(role, "nft", "-j", "list", "set", "inet", "sereno", name)
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        elements = json.loads(done.stdout)["nftables"][1]["set"].get("elem", [])
        return {one["elem"]["val"] if isinstance(one, dict) else one for one in elements}

    def known(self, role, phone, guard):
        self.assertTrue(phone.register())
        self.addCleanup(self.log_out, role, phone)
        known = lambda: phone.client.address in self.members(role, KNOWN)
        self.assertTrue(fixture.await_true(known, 5), guard.said())

    def log_out(self, role, phone):
        """Asterisk keeps two places of a phone at most, and there are more tests."""
        with self.lab.phone(role, phone.client.address, phone.user) as again:
            me, everywhere = f"<sip:{phone.user}@{again.client.domain}>", ("Contact: *", "Expires: 0")
            again.client.request("REGISTER", f"sip:{again.client.domain}", login=(phone.user, phone.password),
                                 from_=me, to=me, extra=everywhere)  # fmt: skip

    def seen(self, role):
        """How many requests of floods Asterisk saw, and whether its log lacks lines."""
        with open(self.lab.server(role).log("full"), encoding="utf-8", errors="replace") as log:
            said = log.read()
        return len(re.findall(TOLD[role], said)), "Discarding" in said

    def lives_through(self, role, phone, *words):
        """A flood, in which a phone registers and calls all the time; (how often it did not, how many requests of the
        flood Asterisk saw, whether its log lacks lines)."""
        before, _ = self.seen(role)
        flood = self.pour(role, *words)
        tries, bad, longest = 0, 0, 0.0
        while flood.poll() is None:
            begun = time.monotonic()
            bad += not (phone.register() and phone.call())
            tries, longest = tries + 1, max(longest, time.monotonic() - begun)
            time.sleep(0.2)
        sent = json.loads(flood.stdout.read())
        seen, lacks = self.seen(role)
        print(f" ({role}: {sent['rate']:,.0f} a second, phone {bad} of {tries} bad, longest {longest:.2f} s)", end="", flush=True)
        self.assertGreater(sent["rate"], RATE * 0.9)
        self.assertGreater(tries, 1)
        return bad, seen - before, lacks

    def check_phones_go_on(self, role):
        guard = self.start(role)
        with self.lab.phone(role, PHONE, "600" if role == "srv22" else "100") as phone:
            self.known(role, phone, guard)
            bad, seen, lacks = self.lives_through(role, phone, "--source", FLOODER)
            self.assertEqual((bad, lacks), (0, False), guard.said())
            self.assertLessEqual(seen, STRANGER[1] + STRANGER[0] * (SECONDS + 1))
            bad, seen, lacks = self.lives_through(role, phone, "--sources", 10_000)
            self.assertEqual((bad, lacks), (0, False), guard.said())
            self.assertLessEqual(seen, STRANGERS[1] + STRANGERS[0] * (SECONDS + 1))
            self.assertGreater(seen, STRANGERS[0], "strangers are heard still")
        stopped = self.too_many(guard)
        self.assertGreater(stopped["strangers"], RATE * SECONDS / 2)
        self.assertEqual(stopped["known"], 0)

    def test_phones_of_pjsip_go_on(self):
        self.check_phones_go_on("srv22")

    def test_phones_of_chan_sip_go_on(self):
        self.check_phones_go_on("srv16")

    def test_without_it_they_do_not(self):
        """What the flood does where nothing measures it: otherwise the tests above prove nothing."""
        role = "srv22"
        guard = self.start(role, "")
        with self.lab.phone(role, PHONE, "600") as phone:
            self.assertTrue(phone.register())
            bad, seen, lacks = self.lives_through(role, phone, "--sources", 10_000)
        self.lab.forget(role)
        self.assertTrue(bad or lacks, guard.said())
        self.assertGreater(seen, STRANGERS[1] + STRANGERS[0] * SECONDS)

    def test_who_forges_is_not_called_by_the_answer(self):
        """Who names another port for the answer makes this machine begin something, but not call him."""
        role = "srv22"
        self.lab.changed_server(role, {"pjsip.conf": TRUNK})
        self.addCleanup(self.lab.forget, role)
        guard = self.start(role)
        called = lambda: self.members(role, CALLED)
        self.assertTrue(fixture.await_true(lambda: called() == {"203.0.113.80"}, 70), "what it begins is seen")
        self.pour(role, "--sources", 50, "--via", 5099, rate=100, seconds=2).wait()
        self.assertEqual(called(), {"203.0.113.80"})
        self.assertEqual(self.members(role, KNOWN), set())
        self.assertGreater(self.seen(role)[0], 40, guard.said())

    def test_a_stranger_gets_in_while_others_are_too_many(self):
        """One source that sends too much takes nothing from the next."""
        role = "srv22"
        guard = self.start(role)
        flood = self.pour(role, "--source", FLOODER, seconds=4)
        with self.lab.phone(role, LATER, "601") as phone:
            self.known(role, phone, guard)
            self.assertTrue(phone.call())
        flood.wait()
        self.assertTrue(guard.bans_address(FLOODER), guard.said())

    def test_who_was_known_is_known_after_a_restart(self):
        role = "srv22"
        guard = self.start(role)
        with self.lab.phone(role, PHONE, "600") as phone:
            self.known(role, phone, guard)
        guard.stop()
        guard.start()
        self.assertIn(PHONE, self.members(role, KNOWN))

    def test_a_forged_phone_is_silenced_no_longer_than_it_is_forged(self):
        """Whoever forges a phone's address takes what is for it; when he ends, so does that."""
        role = "srv22"
        guard = self.start(role)
        with self.lab.phone(role, PHONE, "600") as phone:
            self.known(role, phone, guard)
            self.pour(role, "--source", PHONE, seconds=3).wait()
            self.assertGreater(self.too_many(guard)["known"], RATE)
            self.assertFalse(guard.bans_address(PHONE))
            self.assertTrue(fixture.await_true(lambda: phone.register() and phone.call(), 10), guard.said())


if __name__ == "__main__":
    unittest.main()
