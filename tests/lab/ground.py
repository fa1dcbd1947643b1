#!/usr/bin/env python3
"""The ground the guard's tests stand on, tested without a guard: servers, phones, attacks, probes, forgeries.

    ground.py [-v]          (root; tests/lab/setup has run)
"""

import os
import re
import time
import unittest

import attacks
import corpus
import fixture
import iax
import injection
import net
import probe
import ssh
from attacks import CHAN_SIP_16, PJSIP_16, PJSIP_22

ROLES = {"srv16": 16, "srv22": 22}
# Attacks no log line tells of, or none that names the source: only packets show them.
SILENT = {
    "16 chan_sip": {"svmap-options", "svwar-options", "malformed", "ari-wrong-pass"},
    "16 pjsip": set(),
    "22 pjsip": {"ari-wrong-pass"},
}


class Ground(fixture.LabCase):
    def new_lines(self, path, action):
        """The lines a log gains by an action."""
        before = len(corpus.read_lines(path))
        action()
        time.sleep(0.2)
        return corpus.read_lines(path)[before:]

    def test_phones_register_and_call(self):
        for role, port, user in (("srv16", 5060, "101"), ("srv16", 5160, "601"), ("srv22", 5060, "601")):
            self.lab.server(role)
            for source in ("10.20.30.4", "2001:db8:900d::4"):
                for transport in ("udp", "tcp"):
                    with self.subTest(role=role, port=port, source=source, transport=transport):
                        with self.lab.phone(role, source, user, port, transport) as phone:
                            self.assertTrue(phone.register(), "registers")
                            self.assertTrue(phone.register(), "registers again")
                            self.assertTrue(phone.call(), "calls and hangs up")
                            phone.client.register(user, phone.password, expires=0)
            self.assertTrue(self.lab.phones_work(role))

    def test_iax_phone_registers(self):
        for role in ROLES:
            self.lab.server(role)
            answer = iax.register(self.lab.net, "10.20.30.7", role, "700", "Lab-Phone-700")
            self.assertEqual(answer, iax.REGACK)

    def test_every_attack_leaves_lines_that_name_it(self):
        for target in (CHAN_SIP_16, PJSIP_16, PJSIP_22):
            server = self.lab.server(target.role)
            for kind, source in attacks.campaign(target, target is not PJSIP_16):
                with self.subTest(target=target.name, kind=kind):
                    play = lambda: attacks.play(self.lab.net, target, kind, source)
                    lines = self.new_lines(server.log("full"), play)
                    named = sum(source in line for line in lines)
                    if kind in SILENT[target.name]:
                        self.assertEqual(named, 0, lines[-3:])
                    else:
                        self.assertGreater(named, 0, lines[-3:])

    def test_probes_see_a_ban_and_its_end(self):
        banned = {"srv16": "203.0.113.70", "srv22": "2001:db8:bad::70", "sshsrv": "203.0.113.71"}
        for role, source in banned.items():
            with self.subTest(role=role):
                self.lab.server(role)
                self.assertTrue(self.lab.hears(role, source))
                family = "ip6" if ":" in source else "ip"
                rule = f"type filter hook prerouting priority -300; {family} saddr {source} drop;"
                self.lab.nft(role, f"table inet t {{\nchain c {{ {rule} }}\n}}\n")
                self.assertFalse(self.lab.hears(role, source))
                if role != "sshsrv":
                    self.assertTrue(self.lab.phones_work(role))
                    if ":" not in source:
                        self.assertFalse(iax.answers(self.lab.net, source, role))
                self.lab.nft(role, "delete table inet t")
                self.assertTrue(self.lab.hears(role, source))

    def test_a_probe_of_sip_looks_like_no_attack(self):
        for role, port in (("srv16", 5060), ("srv16", 5160), ("srv22", 5060)):
            server = self.lab.server(role)
            ask = lambda: probe.sip_answers(self.lab.net, "203.0.113.72", role, port)
            lines = self.new_lines(server.log("full"), ask)
            self.assertFalse([line for line in lines if corpus.is_failure(line)])

    def test_forgeries_name_the_victim(self):
        for role in ROLES:
            server = self.lab.server(role)
            for kind, attacker, play in injection.injections(role):
                with self.subTest(role=role, kind=kind):
                    lines = self.new_lines(server.log("full"), lambda: play(self.lab.net, source=attacker))
                    self.assertTrue(lines)
                    if kind != "11-quotes":
                        self.assertTrue(any(net.VICTIM in line for line in lines), lines)

    def test_json_channel_holds_one_record_a_line(self):
        import json

        for role in ROLES:
            server = self.lab.server(role)
            lines = corpus.read_lines(server.log("guard"))
            self.assertRegex(lines[0], r"^\[.*\] Asterisk \d+\.")
            for line in lines[1:]:
                self.assertIn("message", json.loads(line)["logmsg"])

    def test_asterisk_rotates_its_logs(self):
        for role in ROLES:
            server = self.lab.server(role)
            inode = os.stat(server.log("full")).st_ino
            server.command("logger rotate")
            self.assertNotEqual(os.stat(server.log("full")).st_ino, inode)
            self.assertEqual(os.stat(server.log("full.0")).st_ino, inode)

    def test_sshd_lets_in_and_refuses(self):
        path = self.lab.server("sshsrv").syslog.path
        for source in ("10.20.30.8", "2001:db8:900d::8"):
            lines = self.new_lines(path, lambda: self.assertTrue(ssh.login(self.lab.net, source)))
            self.assertTrue(any(f"Accepted password for {ssh.SSH_USER} from {source}" in line for line in lines))
        for source in ("203.0.113.73", "2001:db8:bad::73"):
            lines = self.new_lines(path, lambda: attacks.ssh_wrong_password(self.lab.net, source, 2))
            self.assertEqual(sum(f"Failed password for {ssh.SSH_USER} from {source}" in line for line in lines), 2)
            self.assertEqual(sum("pam_unix(sshd:auth): authentication failure" in line for line in lines), 2)
        lines = self.new_lines(path, lambda: attacks.ssh_wrong_password(self.lab.net, "203.0.113.74", 1, "oracle"))
        self.assertTrue(any("Invalid user oracle from 203.0.113.74 port" in line for line in lines), lines)

    def test_auth_log_rotates_both_ways(self):
        syslog = self.lab.server("sshsrv").syslog
        for rotate in (syslog.rotate_by_rename, syslog.rotate_by_truncation):
            ssh.login(self.lab.net, "203.0.113.75", password="wrong")
            before = len(corpus.read_lines(syslog.path))
            rotate()
            self.assertEqual(corpus.read_lines(syslog.path), [])
            self.assertEqual(len(corpus.read_lines(syslog.path + ".1")), before)
            ssh.login(self.lab.net, "203.0.113.75", password="wrong")
            self.assertTrue(re.match(r"\w{3} [ \d]\d \d\d:\d\d:\d\d pbx sshd\[", corpus.read_lines(syslog.path)[0]))


class Clean(unittest.TestCase):
    def test_nothing_is_left_behind(self):
        names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        self.assertEqual([name for name in names if name.endswith(f"-{os.getpid()}")], [])
        with open("/proc/mounts", encoding="ascii", errors="replace") as mounts:
            self.assertNotIn("sereno-lab", mounts.read().replace(fixture.servers.CACHE, ""))


def load_tests(loader, _tests, _pattern):
    """Clean comes last: it looks at what Ground left."""
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, (Ground, Clean)))


if __name__ == "__main__":
    unittest.main()
