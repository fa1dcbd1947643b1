#!/usr/bin/env python3
"""The guard against real attacks on real servers: what counts is whether packets arrive.

    SERENO_BIN=/path/to/sereno e2e.py [-v]          (root; tests/lab/setup has run)
"""

import os
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import attacks
import fixture
import injection
import net
import probe
import ssh
from attacks import CHAN_SIP_16, PJSIP_16, PJSIP_22
from guard import MAXRETRY, Guard
from guarded import PATIENCE, SSH, Guarded, ssh_tries
from transports import Journal, Transports  # noqa: F401  they run with these


class Bans(Guarded):
    def test_wrong_passwords(self):
        """The classic over every service and both families: shut out, told, let in again by hand."""
        cases = (
            (CHAN_SIP_16, "203.0.113.11"),
            (CHAN_SIP_16, "2001:db8:bad:0:11::1"),
            (PJSIP_16, "203.0.113.12"),
            (PJSIP_22, "203.0.113.13"),
            (PJSIP_22, "2001:db8:bad:0:13::1"),
        )
        for target, source in cases:
            with self.subTest(target=target.name, source=source):
                guard = self.guard(target.role)
                attack = lambda: attacks.register(self.lab.net, target, source, tries=1)
                rounds = self.banned_after(target.role, source, attack, MAXRETRY)
                self.assertGreater(rounds, 1, "one mistake is no attack")
                self.assertTrue(guard.bans_address(source))
                self.assertTrue(self.friends_served(target.role))
                guard.order("unban", source)
                self.assertTrue(fixture.await_true(lambda: self.lab.hears(target.role, source), PATIENCE))
                guard.stop()

    def test_other_attacks(self):
        """The kinds a guard of Asterisk must stop, each from its own address. Reported one by one."""
        kinds = ("svcrack-strong", "reg-unknown-user", "inv-guest-fraud", "inv-known-wrongpass", "tcp-reg-wrong",
                 "sipp-reg-wrong", "reg-acl", "v6-reg-wrong", "ami-wrong-pass", "iax-reg-wrong")  # fmt: skip
        for target in (CHAN_SIP_16, PJSIP_22):
            guard, known = self.guard(target.role), dict(attacks.campaign(target))
            plays = {known[kind]: (kind, partial(attacks.play, self.lab.net, target, kind, known[kind])) for kind in kinds}
            self.all_banned(guard, plays, 2)
            self.assertTrue(self.friends_served(target.role))
            guard.stop()

    def test_ssh(self):
        guard = self.guard(SSH)
        for source in ("203.0.113.15", "2001:db8:bad:0:15::1"):
            attack = lambda: ssh_tries(self.lab.net, None, source)
            self.assertGreater(self.banned_after(SSH, source, attack, MAXRETRY), 1)
            self.assertTrue(guard.bans_address(source))
        self.assertTrue(self.friends_served(SSH))
        guard.order("unban", "--all")
        self.assertTrue(fixture.await_true(lambda: self.lab.hears(SSH, "203.0.113.15"), PATIENCE))
        self.assertEqual(guard.bans(), set())

    def test_json_channel(self):
        guard = self.guard("srv22", "guard")
        self.shut_out(guard, "203.0.113.16", "srv22")

    def test_by_hand(self):
        guard = self.guard(SSH)
        source = "203.0.113.17"
        self.assertTrue(self.lab.hears(SSH, source))
        guard.order("ban", source)
        self.assertFalse(self.lab.hears(SSH, source))
        guard.order("unban", source)
        self.assertTrue(self.lab.hears(SSH, source))

    def test_a_ban_ends_what_is_open(self):
        """A TCP connection that stood before the ban hears nothing more after it."""
        guard, source = self.guard("srv22"), "203.0.113.18"
        with self.lab.phone("srv22", source, "601", transport="tcp") as thief:
            self.assertTrue(thief.register())
            self.shut_out(guard, source, "srv22")
            self.assertFalse(thief.register())


class Mercy(Guarded):
    def test_phones_that_mistype_stay(self):
        """A few wrong passwords among right ones, from changing ports, as real phones do."""
        for role, user, port in (("srv16", "102", 5060), ("srv16", "602", 5160), ("srv22", "602", 5060)):
            with self.subTest(role=role, port=port):
                guard = self.guard(role)
                for turn in range(8):
                    with self.lab.phone(role, "10.20.30.15", user, port) as phone:
                        if turn % 3 == 1:
                            phone.client.register(user, "mistyped")
                        self.assertTrue(phone.register() or turn > 1, "right password")
                time.sleep(1)
                self.assertTrue(self.lab.hears(role, "10.20.30.15"), guard.said())
                self.assertEqual(guard.bans(), set())
                guard.stop()

    def check_victim(self, guard, role):
        """The victim is served. If not it is let in again, so that the next forgery is judged by itself."""
        banned = guard.bans_address(net.VICTIM)
        if banned:
            guard.order("unban", net.VICTIM)
        self.assertFalse(banned, guard.said())
        self.assertTrue(self.lab.hears(role, net.VICTIM))

    def test_forgeries_hit_nobody_else(self):
        for role in ("srv16", "srv22"):
            guard = self.guard(role)
            for kind, attacker, play in injection.injections(role):
                with self.subTest(role=role, kind=kind):
                    for _ in range(2):
                        try:
                            play(self.lab.net, source=attacker)
                        except OSError:
                            pass  # shut out already
                    time.sleep(0.5)
                    self.check_victim(guard, role)
            self.assertTrue(self.friends_served(role))
            guard.stop()

    def test_ssh_forgeries_hit_nobody_else(self):
        """All side by side, as each client of somebody shut out waits for seconds."""
        guard = self.guard(SSH)

        def play(injected):
            _, attacker, forge = injected
            for _ in range(MAXRETRY + 1):
                if not self.lab.hears(SSH, attacker):
                    break  # shut out already
                try:
                    forge(self.lab.net, source=attacker)
                except OSError:
                    pass  # shut out in the middle of it

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(play, injection.ssh_injections()))
        time.sleep(0.5)
        self.assertFalse(guard.bans_address(net.VICTIM), guard.ask("why", net.VICTIM).stdout)
        self.assertTrue(self.lab.hears(SSH, net.VICTIM))


class Endurance(Guarded):
    def check_ban_outlives(self, role, source, end):
        guard = self.guard(role)
        self.shut_out(guard, source, role)
        end(guard)
        self.assertFalse(self.lab.hears(role, source), "the kernel keeps the ban while no guard runs")
        guard.start()
        self.assertFalse(self.lab.hears(role, source), "the ban is there after the start")
        self.assertTrue(guard.bans_address(source))
        self.assertTrue(self.friends_served(role))

    def test_restart_keeps_bans(self):
        self.check_ban_outlives("srv16", "203.0.113.21", Guard.stop)
        self.check_ban_outlives(SSH, "2001:db8:bad:0:21::1", Guard.stop)

    def test_kill_keeps_bans(self):
        self.check_ban_outlives("srv22", "203.0.113.22", Guard.kill)

    def test_lost_rules_come_back_at_start(self):
        guard, source = self.guard("srv22"), "203.0.113.23"
        self.shut_out(guard, source, "srv22")
        guard.kill()
        self.lab.nft("srv22", "flush ruleset")
        self.assertTrue(self.lab.hears("srv22", source))
        guard.start()
        self.assertTrue(fixture.await_true(lambda: not self.lab.hears("srv22", source), PATIENCE))

    def test_lines_written_while_away_count(self):
        guard, source = self.guard("srv16"), "203.0.113.24"
        guard.stop()
        attacks.register(self.lab.net, CHAN_SIP_16, source, tries=MAXRETRY)
        guard.start()
        self.assertTrue(fixture.await_true(lambda: not self.lab.hears("srv16", source), PATIENCE), guard.said())

    def check_rotation(self, role, source, rotate):
        """All but one try before the rotation, right up to it, and the last one after."""
        guard = self.guard(role)
        attack, target = (ssh_tries, None) if role == SSH else (attacks.register, self.target(role))
        attack(self.lab.net, target, source, tries=MAXRETRY - 1)
        rotate()
        self.assertTrue(self.lab.hears(role, source))
        attack(self.lab.net, target, source, tries=1)
        self.assertTrue(fixture.await_true(lambda: not self.lab.hears(role, source), PATIENCE), guard.said())
        guard.stop()

    def test_asterisk_rotates(self):
        for role, source in (("srv16", "203.0.113.25"), ("srv22", "203.0.113.26")):
            self.check_rotation(role, source, lambda: self.lab.server(role).command("logger rotate"))

    def test_auth_log_is_renamed(self):
        self.check_rotation(SSH, "203.0.113.27", lambda: self.lab.server(SSH).syslog.rotate_by_rename())

    def test_auth_log_is_truncated(self):
        self.check_rotation(SSH, "203.0.113.28", lambda: self.lab.server(SSH).syslog.rotate_by_truncation())

    def test_the_guard_may_start_before_the_log(self):
        """A fresh installation: the log file comes with the server's first line."""
        server, source = self.lab.server(SSH), "203.0.113.29"
        os.rename(server.syslog.path, server.syslog.path + ".old")
        guard = self.guard(SSH)
        server.syslog.reopen()
        self.shut_out(guard, source, SSH)


class Probes(Guarded):
    def test_other_ports_close_too(self):
        """Whoever attacks one service is shut out of all of them."""
        guard, source = self.guard("srv16"), "203.0.113.31"
        self.shut_out(guard, source, "srv16")
        for port in (5038, 8088, 5160):
            self.assertFalse(probe.tcp_connects(self.lab.net, source, "srv16", port))


if __name__ == "__main__":
    unittest.main()
