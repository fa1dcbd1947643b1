#!/usr/bin/env python3
"""A Debian guarded by fail2ban is taken over, and given back, by the commands of docs/guide/from-fail2ban.md.

    SERENO_BIN=/path/to/sereno takeover.py [-v]          (root; tests/lab/setup has run)

The commands and the service are taken from the guide as they stand there. All the time, those who are banned try to
come in.
"""

import json
import os
import re
import subprocess
import threading
import time
import unittest

import machine
from fixture import await_true, skip
from machine import PORT, ROLE, join

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/guide/from-fail2ban.md")
PATIENCE = 30.0
TRIES = 5  # at once, of which three are enough
ROUNDS = 4

JAILS = f"""[DEFAULT]
backend = systemd
bantime = 1h
maxretry = 3
[sshd]
enabled = true
port = {PORT}
[shop]
enabled = true
backend = polling
filter = shop
logpath = /var/log/shop.log
port = {PORT}
action = %(action_)s
    tell
"""
FILTER = "[Definition]\nfailregex = ^ shop: bad login from <HOST>$\n"
TELL = """[Definition]
actionstart = echo start >>/root/told
actionstop = echo stop >>/root/told
actionban = echo ban <ip> <restored> >>/root/told
actionunban = echo unban <ip> >>/root/told
"""

# Banned by fail2ban for what they did, over both families and from a file, and by hand.
BY_JOURNAL, BY_SIX, BY_FILE, BY_HAND = "203.0.113.61", "2001:db8:bad::61", "203.0.113.63", "203.0.113.64"
PARDONED = "203.0.113.65"
# Sereno takes its network over, and gives it back.
ITS_PLACE = "2001:db8:bad::/64"
# Let in again by hand, while the lines that led to their bans are still young.
FORGIVEN, FORGIVEN_FILE = "203.0.113.69", "203.0.113.70"
MEANWHILE, MEANWHILE_FILE, AFTERWARDS = "203.0.113.66", "203.0.113.67", "203.0.113.68"
# Sereno shuts out a whole network of version 6; fail2ban gets the address that did it.
MEANWHILE_SIX, ITS_NETWORK = "2001:db8:bad:7::66", "2001:db8:bad:7::/64"
BANNED = {("sshd", BY_JOURNAL), ("sshd", BY_SIX), ("shop", BY_FILE), ("sshd", BY_HAND)}


def guide(heading, language):
    """The lines of the first block of this language below a heading."""
    with open(GUIDE, encoding="utf-8") as text:
        section = re.split(rf"^#+ {heading}$", text.read(), flags=re.M)[1]
    return re.search(rf"^```{language}\n(.*?)^```$", section, flags=re.M | re.S)[1]


def commands(heading):
    return [line.partition("#")[0].strip() for line in guide(heading, "sh").splitlines()]


class Knocker:
    """Tries to come in from an address, all the time; notes when it could."""

    def __init__(self, net, source):
        self.net, self.source, self.came_in, self.over = net, source, [], threading.Event()
        self.tries = 0
        self.thread = threading.Thread(target=self._knock)
        self.thread.start()

    def _knock(self):
        while not self.over.is_set():
            if machine.probe.tcp_connects(self.net, self.source, ROLE, PORT, 0.2):
                self.came_in.append(time.time())
            self.tries += 1
            time.sleep(0.05)

    def end(self):
        self.over.set()
        self.thread.join()


class TakeOver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            reason = machine.why_not()
            if not reason:
                cls.machine = machine.Machine()
        except machine.NoMachine as told:
            reason = str(told)
        skip(reason)
        cls.addClassCleanup(cls.machine.close)

    def put(self, path, text):
        self.machine.run(f"cat >{path} <<'END'\n{text}\nEND")

    def attacks(self, source, until):
        """Tries passwords, a few times if need be: journald may not know any more who wrote a line when it
        comes to look, and then neither guard is shown it."""
        for _ in range(ROUNDS):
            join(self.machine.wrong_passwords(source, TRIES))
            if await_true(until, 5):
                return
        self.fail(f"{source} is not banned after {ROUNDS * TRIES} tries\n{self.said()}")

    def fails_in_the_shop(self, source):
        line = f"$(date +'%F %T') shop: bad login from {source}"
        self.machine.run(f'for i in 1 2 3; do echo "{line}" >>/var/log/shop.log; done')

    def shut_out(self, *sources):
        return lambda: not any(self.machine.hears(source) for source in sources)

    def check(self, condition, why=""):
        self.assertTrue(await_true(condition, PATIENCE), why() if callable(why) else why)

    def said(self):
        """What everybody wrote, for when something goes wrong."""
        return self.machine.run(
            "systemctl status --no-pager fail2ban sereno; tail -n 40 /var/log/fail2ban.log; cat /root/told; "
            "nft list ruleset",
            check=False,
        )

    def fail2bans(self):
        """Whom fail2ban holds: (jail, address) -> when it ends."""
        found = {}
        for jail in ("sshd", "shop"):
            said = self.machine.run(f"fail2ban-client get {jail} banip --with-time", check=False)
            for who, end in re.findall(r"^(\S+)\s.* = (\d+-\d+-\d+ \d+:\d+:\d+)$", said, flags=re.M):
                found[jail, who] = time.mktime(time.strptime(end + " UTC", "%Y-%m-%d %H:%M:%S %Z")) - time.timezone
        return found

    def serenos(self):
        """Whom Sereno holds: (jail, address) -> when it ends. Of a network that is one of ours, the address in it."""
        name = {ITS_NETWORK: MEANWHILE_SIX, ITS_PLACE: BY_SIX}
        rows = json.loads(self.machine.run("sereno bans --json"))
        end = lambda row: time.mktime(time.strptime(row["until"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone
        return {(row["jail"], name.get(row["addr"], row["addr"])): end(row) for row in rows}

    def alarms(self):
        return json.loads(self.machine.run("sereno status --json", check=False) or '{"alarms": ["none"]}')["alarms"]

    def same_ends(self, before, after):
        for who, end in before.items():
            self.assertIn(who, after)
            self.assertLess(abs(after[who] - end), 3, who)

    def fail2ban_guards(self):
        """fail2ban runs, is switched on, and has banned some."""
        self.put("/etc/fail2ban/jail.local", JAILS)
        self.put("/etc/fail2ban/filter.d/shop.conf", FILTER)
        self.put("/etc/fail2ban/action.d/tell.conf", TELL)
        self.put("/etc/systemd/system/sereno.service", guide("The sequence", "ini"))
        self.machine.run("touch /var/log/shop.log && systemctl enable --now fail2ban")
        self.check(lambda: "shop, sshd" in self.machine.run("fail2ban-client status", check=False), self.said)
        for source in (BY_JOURNAL, BY_SIX):
            self.attacks(source, lambda: ("sshd", source) in self.fail2bans())
        self.fails_in_the_shop(BY_FILE)
        self.machine.run(f"fail2ban-client set sshd banip {BY_HAND} {PARDONED}")
        everybody = BANNED | {("sshd", PARDONED)}
        self.check(lambda: self.fail2bans().keys() == everybody, self.said)
        self.check(self.shut_out(BY_JOURNAL, BY_SIX, BY_FILE, BY_HAND, PARDONED), self.said)

    def take_over(self):
        steps = commands("Take over")
        self.assertEqual(len(steps), 5, steps)
        check, observe, start, stop, ask = steps
        self.assertIn("No problems", self.machine.run(check))
        self.observed(observe)
        before = self.fail2bans()
        self.machine.run(start)
        # It is started, so it guards: nobody has to be waited for.
        self.same_ends(before, self.serenos())
        self.assertIn("fail2ban itself guards", "".join(self.alarms()))
        self.machine.run(stop)
        self.assertEqual(self.machine.run("systemctl is-active fail2ban", check=False).strip(), "inactive")
        self.assertEqual(self.machine.run("systemctl is-enabled fail2ban", check=False).strip(), "disabled")
        self.assertNotIn("f2b", self.machine.run("nft list ruleset"))
        self.check(lambda: not self.alarms(), lambda: f"{self.alarms()} {self.said()}")
        table = self.machine.run("nft list table inet sereno")
        for _, who in before:
            network = {BY_SIX: ITS_PLACE, MEANWHILE_SIX: ITS_NETWORK}.get(who, who)
            self.assertIn(network.removesuffix("/64"), table)
        self.assertIn(BY_JOURNAL, self.machine.run(ask))

    def observed(self, command):
        """Runs until it was interrupted, beside fail2ban."""
        self.machine.run("rm -f observed.log")
        words = self.machine.words(f"exec {command} >observed.log 2>&1")
        running = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self.check(lambda: "OBSERVING ONLY" in self.machine.run("cat observed.log", check=False))
        self.machine.run("pkill -INT -x sereno")
        self.assertEqual(running.wait(10), 0)

    def give_back(self):
        steps = commands("Give back")
        self.assertEqual(len(steps), 5, steps)
        disable, stop, start, banned, delete = steps
        before = self.serenos()
        self.machine.run(disable)
        self.assertIn("bans", self.machine.run(stop))
        self.machine.run(start)
        wanted = {who for _, who in before}
        self.check(lambda: all(f"'{who}'" in self.machine.run(banned, check=False) for who in wanted), self.said)
        self.machine.run(delete)
        self.assertNotIn("inet sereno", self.machine.run("nft list tables"))
        self.assertEqual(self.machine.run("systemctl is-active sereno", check=False).strip(), "inactive")
        self.assertEqual(self.machine.run("systemctl is-enabled sereno", check=False).strip(), "disabled")
        self.assertEqual(self.machine.run("systemctl is-enabled fail2ban").strip(), "enabled")
        self.same_ends(before, self.fail2bans())
        return before

    def test_there_and_back(self):
        self.fail2ban_guards()
        knockers = [Knocker(self.machine.net, source) for source in (BY_JOURNAL, BY_SIX, BY_FILE, BY_HAND)]
        for knocker in knockers:
            self.addCleanup(knocker.end)
        self.take_over()

        # What is Sereno's now is done by Sereno.
        for source in (MEANWHILE, MEANWHILE_SIX):
            self.attacks(source, self.shut_out(source))
        self.fails_in_the_shop(MEANWHILE_FILE)
        self.check(self.shut_out(MEANWHILE, MEANWHILE_SIX, MEANWHILE_FILE), self.said)
        self.assertIn(("sshd", MEANWHILE_SIX), self.serenos())
        self.assertIn(ITS_NETWORK, self.machine.run("sereno bans"))
        self.assertIn(f"NOTICE  [sshd] Ban {MEANWHILE}\n", self.machine.run("cat /var/log/fail2ban.log"))
        self.machine.run(f"sereno unban {PARDONED}")
        self.assertTrue(self.machine.hears(PARDONED))
        told = ["start", f"ban {BY_FILE} 0", f"unban {BY_FILE}", "stop", "start", f"ban {BY_FILE} 1"]
        told.append(f"ban {MEANWHILE_FILE} 0")
        self.attacks(FORGIVEN, self.shut_out(FORGIVEN))
        self.fails_in_the_shop(FORGIVEN_FILE)
        self.check(self.shut_out(FORGIVEN_FILE), self.said)
        self.machine.run(f"sereno unban {FORGIVEN} && sereno unban {FORGIVEN_FILE}")
        told += [f"ban {FORGIVEN_FILE} 0", f"unban {FORGIVEN_FILE}"]
        self.check(lambda: self.machine.run("cat /root/told").splitlines() == told, self.said)

        given = self.give_back()
        meanwhile = {("sshd", MEANWHILE), ("sshd", MEANWHILE_SIX), ("shop", MEANWHILE_FILE)}
        self.assertEqual(given.keys(), BANNED | meanwhile)
        self.assertEqual(self.fail2bans().keys(), BANNED | meanwhile, "nobody else")
        self.assertTrue(self.shut_out(*(who for _, who in given))())
        for who in (PARDONED, FORGIVEN, FORGIVEN_FILE):
            self.assertTrue(self.machine.hears(who), f"who was let in stays in: {who}")
        self.attacks(AFTERWARDS, self.shut_out(AFTERWARDS))
        self.check(self.shut_out(AFTERWARDS), self.said)

        # And once more: what fail2ban did meanwhile is what counts.
        self.machine.run(f"fail2ban-client set sshd unbanip {MEANWHILE}")
        self.take_over()
        self.assertTrue(self.machine.hears(MEANWHILE))
        self.assertEqual({who for _, who in self.serenos()}, {who for _, who in given} - {MEANWHILE} | {AFTERWARDS})
        for knocker in knockers:
            knocker.end()
            self.assertGreater(knocker.tries, 20)
            self.assertEqual(knocker.came_in, [], knocker.source)


if __name__ == "__main__":
    unittest.main()
