#!/usr/bin/env python3
"""Policies of the gate as an administrator tries, keeps and loses them. What counts is whether packets arrive.

    SERENO_BIN=/path/to/sereno policy.py [-v]          (root; tests/lab/setup doors has run)
"""

import json
import os
import re
import shutil
import subprocess
import time
import unittest

import guard
import house
import net
from house import BOTH, CLIENT, SERVER, STRANGER, V4, V6

# The phones' networks and the client's own addresses may do everything, the world may see the web page.
POLICY = """[gate]
trusted = ["198.51.100.202", "2001:db8:100::202", "10.20.30.0/24", "2001:db8:900d::/64"]
rules = [{}]
"""
WEB = '"allow https"'
# Of another program, with its own chains; nobody may touch it.
FOREIGN = """table ip docker {
    set kept { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 } }
    chain nat {
        type nat hook prerouting priority dstnat
        tcp dport 8080 dnat to 172.17.0.2:80
    }
    chain input {
        type filter hook input priority 10
        ip saddr @kept counter packets 7 bytes 77 drop
    }
}
"""
# A trial lasts so long, and is over this much later at most.
TRIAL, SOON = 5, 1.5


class Policies(house.HouseCase):
    def guarding(self, *rules, options=""):
        """Sereno with a policy in its file that nobody has applied yet."""
        return self.doors(POLICY.format(", ".join(rules or [WEB])) + options)

    def rewrite(self, *rules):
        self.write("sereno.toml", POLICY.format(", ".join(rules)))

    def assert_old(self):
        """As without a policy: everybody reaches everything."""
        for family in BOTH:
            for port in (22, 443):
                self.assertTrue(self.house.reaches(STRANGER, port, family), f"{port} {family}")

    def assert_new(self):
        for family in BOTH:
            self.assertTrue(self.house.reaches(CLIENT, 22, family))
            self.assertTrue(self.house.reaches(STRANGER, 443, family))
            self.assertFalse(self.house.reaches(STRANGER, 22, family))
            self.assertFalse(self.house.reaches(STRANGER, 8088, family))

    def link(self, state):
        """The server's cable, at its other end."""
        port = f"p{self.house.net.roles.index(SERVER) - 1}"
        self.house.run("net", "ip", "link", "set", port, state)

    def test_a_trial_ends_by_itself(self):
        porter = self.guarding()
        self.assert_old()
        with self.house.connect(STRANGER, 22) as at_work:
            begun = time.monotonic()
            self.assertIn("+ allow https", self.gate(porter, "apply", "--force", "--for", f"{TRIAL}s"))
            self.assert_new()
            self.assertIn("on trial until", porter.ask("status").stdout)
            self.assertTrue(house.echoes(at_work), "what is under way goes on")
            self.assertLess(time.monotonic() - begun, TRIAL, "the test was too slow to see it")
            time.sleep(max(0.0, begun + TRIAL + SOON - time.monotonic()))
            self.assert_old()
            self.assertTrue(house.echoes(at_work))
        self.assertIsNone(json.loads(self.gate(porter, "show", "--json"))["trying"])
        self.gate(porter, "confirm", code=1)

    def test_a_trial_ends_though_nobody_is_left_to_end_it(self):
        """Killed, or with the machine's link down, or both."""
        for kill, cut in ((True, False), (False, True), (True, True)):
            with self.subTest(kill=kill, cut=cut):
                porter = self.guarding()
                begun = time.monotonic()
                self.gate(porter, "apply", "--for", f"{TRIAL}s")
                self.assertFalse(self.house.reaches(STRANGER, 22))
                if kill:
                    porter.kill()
                if cut:
                    self.link("down")
                time.sleep(max(0.0, begun + TRIAL + SOON - time.monotonic()))
                if cut:
                    self.link("up")
                    self.assertTrue(house.fixture.await_true(lambda: self.house.reaches(STRANGER, 22), 5))
                self.assert_old()
                porter.stop()
                self.flush()

    def test_what_was_confirmed_comes_back(self):
        porter = self.guarding()
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        self.assert_new()
        # Other files change nothing of it, not even at a start; nor does a trial that nobody ends.
        self.rewrite('"allow ssh"')
        porter.order("reload")
        self.assert_new()
        self.assertTrue(json.loads(self.gate(porter, "show", "--json"))["differs"])
        self.gate(porter, "apply", "--for", "60s")
        self.assertTrue(self.house.reaches(STRANGER, 22))
        for end in (porter.stop, porter.kill):
            end()
            # The machine was off: nothing is left in its kernel.
            self.flush()
            porter.start()
            with self.subTest(end=end.__name__):
                self.assert_new()
        self.flush()
        self.assertTrue(house.fixture.await_true(lambda: not self.house.reaches(STRANGER, 22), 15), "a flush is mended")

    def test_a_damaged_ledger_opens_nothing(self):
        porter = self.guarding()
        self.assertIn("nobody applied", porter.ask("status").stdout)
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        for spoil in (b"x" * 4096, None):
            porter.stop()
            self.flush()
            self.assert_old()
            with open(f"{porter.work}/state/ledger.sqlite3", "r+b" if spoil else "wb") as ledger:
                ledger.write(spoil or b"")
            porter.start()
            self.assert_new()
            self.assertEqual("was damaged" in porter.ask("status").stdout, bool(spoil))
        self.gate(porter, "flush")
        porter.stop()
        porter.start()
        self.assert_old()

    def test_back_and_open(self):
        porter = self.guarding()
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        self.rewrite('"allow ssh, https"')
        self.gate(porter, "apply")
        self.assertTrue(self.house.reaches(STRANGER, 22))
        self.gate(porter, "revert")
        self.assert_new()
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        self.assertTrue(self.house.reaches(STRANGER, 22))
        counted = lambda: dict(map(tuple, json.loads(self.gate(porter, "show", "--json"))["counts"]))["rule_1"]
        self.assertGreater(counted(), 0)
        self.gate(porter, "revert", "--for", f"{TRIAL}s")
        self.assert_new()
        self.gate(porter, "confirm")
        self.assertEqual(counted(), 0, "this line counts anew")
        self.assert_new()
        self.assertEqual(self.gate(porter, "history").count("1 rules"), 3)
        self.gate(porter, "flush")
        self.assert_old()
        self.assertIn("gate flush", porter.ask("status").stdout)
        self.gate(porter, "revert")
        self.assert_new()

    def test_who_would_lock_himself_out_is_refused(self):
        porter = self.guarding(options='\n[door.ssh]\nports = "tcp/2222"\nknock = [7311, 2904, 5127]\n')
        stranger = net.server_address(STRANGER, V4)
        said = self.gate(porter, "apply", session=stranger, code=1)
        self.assertIn(f"{stranger} at tcp/22: your own session", said)
        self.assert_old()
        self.gate(porter, "apply", session=net.server_address(CLIENT, V4))
        self.assert_new()
        self.gate(porter, "revert")
        self.write("sereno.toml", 'ignoreip = ["203.0.113.50"]\n' + POLICY.format(WEB))
        porter.order("reload")
        self.assertIn("203.0.113.50 at tcp/22: a friend", self.gate(porter, "apply", code=1))
        self.rewrite(WEB)
        porter.order("reload")
        # Somebody who is at work on a port that the policy closes, whoever asks.
        with self.house.connect(STRANGER, 8088):
            said = self.gate(porter, "apply", code=1)
            self.assertIn(f"{stranger} at tcp/8088: an open connection", said)
            self.assert_old()
            self.assertIn("cut off", self.gate(porter, "apply", "--force"))
            self.assert_new()

    def test_a_phone_that_logged_in_is_cut_off_by_no_port(self):
        """Of a telephone that registered lately nobody knows by which port: none of them may close unasked."""
        phone, log = "203.0.113.50", f"{self.work}/full"
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        good = (f'[{stamp}] SECURITY[77] res_security_log.c: SecurityEvent="SuccessfulAuth",EventTV="{time.strftime("%Y-%m-%dT%H:%M:%S")}.000+0000",'
                f'Severity="Informational",Service="PJSIP",EventVersion="1",AccountID="100",SessionID="x{{}}",'
                f'LocalAddress="IPV4/UDP/198.51.100.24/5060",RemoteAddress="IPV4/UDP/{phone}/5060",UsingPassword="1"\n')  # fmt: skip
        self.write("full", "")
        porter = self.guarding('"allow https"', options=f'[jail.asterisk]\nlogpath = ["{log}"]\n')
        with open(log, "a", encoding="ascii") as out:
            out.writelines(good.format(n) for n in range(2))
        known = lambda: json.loads(porter.ask("status", "--json").stdout)["jails"][0]["successes"] >= 2
        self.assertTrue(house.fixture.await_true(known, 10), porter.said())
        self.assertIn(f"{phone} at", self.gate(porter, "apply", code=1))
        self.rewrite('"allow iax2, tcp/5060, tcp/5061"')
        self.assertIn(f"{phone} at udp/5060", self.gate(porter, "apply", code=1))
        self.rewrite('"allow iax2, sip, sips"')
        self.gate(porter, "apply", "--for", f"{TRIAL}s")

    def test_reached_from_networks_that_lines_name(self):
        porter = self.guarding('"allow ssh from 203.0.113.9 2001:db8:bad::/64"', '"allow tcp/8088 from 203.0.113.0/24"')
        reached = {one["port"]: one for one in json.loads(self.gate(porter, "diff", "--json"))["listeners"]}
        self.assertEqual((reached[22]["zones"], reached[22]["networks"]), (["trusted"], ["203.0.113.9", "2001:db8:bad::/64"]))
        self.assertEqual((reached[8088]["zones"], reached[8088]["networks"]), (["trusted"], ["203.0.113.9", "203.0.113.0/24"]))
        self.rewrite('"allow shs"')
        self.assertIn("did you mean ssh", self.gate(porter, "diff", code=1))

    def test_what_is_explained_is_what_happens(self):
        porter = self.guarding(WEB, '"allow tcp/8088 from 203.0.113.0/24"')
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        porter.order("ban", "203.0.113.77")
        sources = {CLIENT: (None, "10.20.30.9"), STRANGER: (None, "203.0.113.9", "203.0.113.77")}
        for role, addresses in sources.items():
            for source in addresses:
                addr = source or net.server_address(role, V4)
                for port in (22, 443, 8088):
                    reaches = self.house.reaches(role, port, source=source)
                    said = self.gate(porter, "explain", "tcp", addr, str(port), code=0 if reaches else 1)
                    with self.subTest(addr=addr, port=port):
                        self.assertIn("gets in" if reaches else "is stopped", said)
        self.assertIn("line 1: allow https", self.gate(porter, "explain", "tcp", "203.0.113.9", "443"))
        self.assertIn("banned", self.gate(porter, "explain", "tcp", "203.0.113.77", "443", code=1))
        self.assertIn("from world", self.gate(porter, "explain", "udp", "203.0.113.9", "5060", code=1))

    def test_in_a_panic_only_doors_let_in(self):
        door = '\n[door.ssh]\nports = "tcp/22"\nknock = [7311, 2904, 5127]\nclosed = false\n'
        porter = self.guarding(options=door)
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        with self.house.connect(CLIENT, 443) as at_work:
            self.gate(porter, "panic", session=net.server_address(CLIENT, V4), code=1, top=True)
            self.assertTrue(house.echoes(at_work))
            self.gate(porter, "panic", top=True)
            self.assertFalse(house.echoes(at_work), "what is under way ends")
            for end in (porter.kill, porter.stop):
                for family in BOTH:
                    for role in (CLIENT, STRANGER):
                        self.assertFalse(any(self.house.reaches(role, port, family) for port in (22, 443)))
                end()
                porter.start()
            self.gate(porter, "apply", code=1)
            self.assertIn("sereno resume", porter.ask("status").stdout)
            self.house.knock((7311, 2904, 5127))
            self.assert_opens(CLIENT, 22)
            self.assert_shut(CLIENT, 443)
            # The copy of what is in force cannot be written: what it said does not come back.
            os.mkdir(f"{porter.work}/state/gate.json.new")
            self.assertIn("without the copy", self.gate(porter, "resume", top=True))
            self.assert_new()
            porter.kill()
            self.flush()
            porter.start()
            self.assert_new()

    def test_what_is_suggested_can_be_applied(self):
        """What listens is let in but for what the world should not reach; and that is what `diff` shows."""
        porter = self.guarding()
        found = json.loads(self.gate(porter, "diff", "--json"))
        self.assertEqual(found["idle"], [])
        # Of the file: https for the world, all for the trusted.
        reached = {one["port"]: one for one in found["listeners"]}
        self.assertEqual(reached[443]["zones"], ["trusted", "world"])
        self.assertEqual(reached[22]["zones"], ["trusted"])
        self.assertTrue(reached[8088]["delicate"])
        self.assertTrue(reached[22]["program"].startswith("python"))
        self.rewrite('"allow ssh, tcp/8088"', '"allow tcp/4444"')
        said = self.gate(porter, "diff", code=1)
        self.assertRegex(said, r"tcp/8088 +python\S* +trusted, world +the world should not reach it")
        self.assertIn("line 2 lets in: allow tcp/4444", said)

        text = self.gate(porter, "suggest")
        self.assertIn('# "allow tcp/8088 from 192.0.2.0/24",', text)
        self.write("sereno.toml", text)
        self.assertEqual(porter.ask("check", "--config", f"{self.work}/sereno.toml").returncode, 0)
        self.gate(porter, "apply")
        for family in BOTH:
            for port, open_to_all in ((22, True), (443, True), (8088, False)):
                self.assertEqual(self.house.reaches(STRANGER, port, family), open_to_all, f"{port} {family}")

    def test_what_was_stopped_and_by_what(self):
        porter = self.guarding(WEB, '"drop tcp/8088 from 203.0.113.0/24"')
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        porter.order("ban", "203.0.113.77")
        for source, port, tries in (("203.0.113.77", 443, 1), ("203.0.113.9", 8088, 2), (None, 22, 3)):
            for _ in range(tries):
                self.assert_shut(STRANGER, port, source=source)
        stopped = [(json.dumps(reason), count) for reason, count in json.loads(self.gate(porter, "top", "--json"))]
        for about, least in (('"ban": "all"', 1), ('"rule": [2,', 2), ('"rest": "world"', 3)):
            found = [count for reason, count in stopped if about in reason]
            self.assertTrue(found and found[0] >= least, f"{about}: {stopped}")
        self.assertFalse([reason for reason, _ in stopped if '"rule": [1,' in reason], "what lets in stops nothing")
        self.assertRegex(self.gate(porter, "top"), r"- +\d+ +line 2: drop tcp/8088")

    def test_checked_and_saved(self):
        porter = self.guarding('"allow zulu from trusted until 2099-12-04   # tests"', options='\n[gate.services]\nzulu = "tcp/8002"\n')
        self.assertIn("nft accepts the text", self.gate(porter, "check", "--config", f"{self.work}/sereno.toml"))
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        saved = f"{self.work}/saved.toml"
        self.gate(porter, "save", saved)
        self.gate(porter, "save", saved, code=1)
        self.assertIn('"allow tcp/8002 from trusted until 2099-12-05T00:00:00   # tests"', self.read("saved.toml"))
        with open(saved, encoding="utf-8") as text:
            self.write("sereno.toml", text.read())
        # Other words, the same ports.
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        self.gate(porter, "apply")
        self.assertIn("in force already", self.gate(porter, "apply"))
        self.rewrite('"allow shs"')
        self.assertIn("did you mean ssh", self.gate(porter, "check", "--config", f"{self.work}/sereno.toml", code=1))

    def test_nobody_elses_tables_are_touched(self):
        porter = self.guarding()
        self.house.run(SERVER, "nft", "-f", "-", text=FOREIGN)
        before = self.house.run(SERVER, "nft", "-s", "list", "table", "ip", "docker")
        for words in (["apply"], ["confirm"], ["flush"], ["revert"], ["confirm"]):
            self.gate(porter, *words)
        self.gate(porter, "apply", "--for", f"{TRIAL}s", "--force")
        porter.kill()
        porter.start()
        porter.stop()
        self.assertEqual(self.house.run(SERVER, "nft", "-s", "list", "table", "ip", "docker"), before)

    def table(self):
        """As nft lists it, without the connections that were open when it was put in place."""
        listed = self.house.run(SERVER, "nft", "-s", "list", "table", "inet", "sereno")
        return re.sub(r"(set older_v[46] \{\n.*\n)\t\telements = \{[^}]*\}\n", r"\1", listed)

    def test_its_text_is_what_nft_reads(self):
        porter = self.guarding()
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        text = self.gate(porter, "export")
        by_netlink = self.table()
        porter.stop()
        self.house.run(SERVER, "nft", "-f", "-", text=text)
        self.assertEqual(self.table(), by_netlink)
        self.assertEqual(json.loads(self.gate(porter_of(self, porter), "export", "--form", "json"))["rules"][0]["text"], "allow https")


class PoliciesByIptables(Policies):
    """The same where iptables enforces them, as on a machine without nftables."""

    backend, form = "iptables", ""
    # This one is about nft's own text.
    test_its_text_is_what_nft_reads = None

    def stands(self):
        """What of ours is in tables and sets, without the connections that were open when it was put in place."""
        rules = "".join(self.house.run(SERVER, f"{program}{self.form}-save") for program in ("iptables", "ip6tables"))
        sets = self.house.run(SERVER, "ipset", "save", "-sorted")
        own = [line for line in (rules + sets).splitlines() if "sereno." in line and "older_v" not in line]
        return sorted(re.sub(r" (bucketsize|initval|hashsize) \S+|\[\d+:\d+\] ?", "", line) for line in own)

    def kept(self):
        """Sereno with the policy in force, and somebody who is out."""
        porter = self.guarding()
        self.gate(porter, "apply")
        self.gate(porter, "confirm")
        porter.order("ban", "203.0.113.77")
        return porter

    def test_its_text_is_what_the_programs_read(self):
        """As its first lines say: three parts for three programs."""
        porter = self.kept()
        text = self.gate(porter, "export", "--iptables")
        by_sereno = self.stands()
        self.assertGreater(len(by_sereno), 60)
        porter.stop()
        self.flush()
        path = self.write("gate.txt", text)
        for line in re.findall(r"^#   (sed .*)$", text, re.M):
            words = line.replace("FILE", path).replace("tables-restore", f"tables{self.form}-restore")
            self.house.run(SERVER, "sh", "-c", words)
        self.assertEqual(self.stands(), by_sereno)
        self.assert_new()
        self.assertFalse(self.house.reaches(STRANGER, 443, source="203.0.113.77"))

    def test_what_others_take_away_comes_back(self):
        """Nobody tells when rules change: it is looked at. A jump, rules, somebody who is out, a set."""
        porter, four, six = self.kept(), f"iptables{self.form}", f"ip6tables{self.form}"
        self.house.run(SERVER, four, "-I", "INPUT", "-s", "192.0.2.1", "-j", "DROP")
        whole = self.stands()
        for words in ((four, "-D", "INPUT", "-j", "sereno.input"), (four, "-t", "raw", "-F", "sereno.bans"),
                      ("ipset", "flush", "sereno.ban_all_v4_32"), (six, "-F", "sereno.decide"), ("ipset", "del", "sereno.ban_all_v4_32", "203.0.113.77")):  # fmt: skip
            with self.subTest(words=words):
                mended = porter.said().count("putting it in place")
                self.house.run(SERVER, *words)
                self.assertTrue(house.fixture.await_true(lambda: porter.said().count("putting it in place") > mended, 15))
                self.assertTrue(house.fixture.await_true(lambda: self.stands() == whole, 5), self.stands())
        self.assertIn("192.0.2.1", self.house.run(SERVER, f"{four}-save"), "that is somebody else's")

    def test_who_is_banned_is_stopped_in_the_middle_of_a_connection(self):
        porter = self.guarding()
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        for family, source in ((V4, "203.0.113.50"), (V6, "2001:db8:bad::50")):
            with self.house.connect(STRANGER, 443, family, source=source) as at_work:
                self.assertTrue(house.echoes(at_work))
                porter.order("ban", source, "--for", "60s")
                self.assertFalse(house.echoes(at_work))
            self.assertFalse(self.house.reaches(STRANGER, 443, family, source))
            porter.order("unban", source)
            self.assertTrue(self.house.reaches(STRANGER, 443, family, source))

    def test_what_is_refused_at_the_start_is_tried_again(self):
        """As where the machine is still coming up. There is no program for IPv6: IPv4 is guarded all the same."""
        late = self.write("late", "")
        refusing = '[ -e @WORK@/late ] && { echo not yet >&2; exit 1; }; exec /usr/sbin/iptables-nft-restore "$@"'
        script = self.write("restore", f"#!/bin/sh\n{refusing}\n", mode=0o755)
        self.write("sereno.toml", POLICY.format(WEB))
        porter = house.Porter(self.house, self.work, "--config", f"{self.work}/sereno.toml")
        mounts = f"mount --bind {self.work}/alternatives /etc/alternatives && mount --bind /dev/null /usr/sbin/xtables-legacy-multi"
        shutil.copytree("/etc/alternatives", f"{self.work}/alternatives", symlinks=True)
        for name in ("iptables-restore", "ip6tables-restore"):
            os.remove(f"{self.work}/alternatives/{name}")
        os.symlink(script, f"{self.work}/alternatives/iptables-restore")
        porter.prefix = ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "-")
        self.addCleanup(porter.stop)
        porter.start()
        said = porter.ask("status").stdout
        self.assertIn("not yet", said)
        self.assertIn("iptables-legacy-restore", said)
        porter.order("ban", "203.0.113.77")
        self.gate(porter, "apply", "--force", code=1)
        self.assertTrue(self.house.reaches(STRANGER, 443, source="203.0.113.77"))
        os.remove(late)
        self.assertTrue(house.fixture.await_true(lambda: not self.house.reaches(STRANGER, 443, source="203.0.113.77"), 25))
        self.gate(porter, "apply", "--force")
        self.gate(porter, "confirm")
        self.assert_shut(STRANGER, 22)
        self.assertTrue(self.house.reaches(STRANGER, 22, V6))
        self.assertIn("IPv6 is not guarded", porter.ask("status").stdout)

    def test_who_goes_back_to_nftables_leaves_nothing_behind(self):
        porter = self.kept()
        porter.stop()
        self.backend = "nft"
        self.write("sereno.toml", self.read("sereno.toml").replace(house.BY_IPTABLES, ""))
        try:
            porter.start()
            self.assertEqual(self.stands(), [])
            self.assert_new()
        finally:
            del self.backend


class PoliciesByOldIptables(PoliciesByIptables):
    """The same with iptables in its old form, which is no part of nftables."""

    backend, form = "legacy", "-legacy"
    # This one is about which form is taken.
    test_what_is_refused_at_the_start_is_tried_again = None


def porter_of(case, porter):
    porter.start()
    return porter


if __name__ == "__main__":
    unittest.main()
