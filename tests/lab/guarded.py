"""What the tests of the guard share: a guard of their own, and attacks until it bans."""

import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import attacks
import fixture
import ssh
from attacks import CHAN_SIP_16, PJSIP_22
from guard import BINARY, MAXRETRY, Guard

SSH = "sshsrv"
# A ban may take this long from the last line; the time it took is printed.
PATIENCE = 5.0


def ssh_tries(lab, _target, source, tries=1):
    attacks.ssh_wrong_password(lab, source, tries, "oracle{}")


class Guarded(fixture.LabCase):
    """Each test has a guard of its own with nothing in its memory, and addresses of its own."""

    @classmethod
    def setUpClass(cls):
        fixture.skip(None if BINARY else "SERENO_BIN is not set")
        super().setUpClass()

    def guard(self, role, file=None, journal=False):
        guard = Guard(self.lab, role, tempfile.mkdtemp(dir=self.lab.work), file, journal)
        self.addCleanup(self.lab.nft, role, "flush ruleset")
        self.addCleanup(guard.stop)
        guard.start()
        return guard

    def banned_after(self, role, source, attack, most):
        """Attacks until the address is shut out; fails when `most` rounds do not get it there."""
        for number in range(1, most + 1):
            attack()
            if fixture.await_true(lambda: not self.lab.hears(role, source), 0.3):
                return number
        start = time.monotonic()
        if fixture.await_true(lambda: not self.lab.hears(role, source), PATIENCE):
            print(f" (ban {time.monotonic() - start:.1f} s after the last of {most} tries)", end="", flush=True)
            return most
        return self.fail(f"{source} still reaches {role} after {most} rounds")

    def all_banned(self, guard, attacks_by_source, most=1):
        """Plays attacks side by side, each from an address of its own; all must be shut out.

        attacks_by_source: address -> (label, attack); each is played until it is, `most` times.
        """

        def play(source):
            for left in reversed(range(most)):
                try:
                    attacks_by_source[source][1]()
                except OSError:
                    pass  # shut out in the middle of it
                patience = 0.3 if left else PATIENCE
                if fixture.await_true(lambda: not self.lab.hears(guard.role, source), patience):
                    return True
            return False

        with ThreadPoolExecutor(len(attacks_by_source)) as pool:
            for source, is_out in zip(attacks_by_source, pool.map(play, attacks_by_source), strict=True):
                with self.subTest(server=guard.role, attack=attacks_by_source[source][0], source=source):
                    self.assertTrue(is_out, guard.said())
                    self.assertTrue(guard.bans_address(source))

    def shut_out(self, guard, source, role):
        """Gets an address banned the plain way: as many wrong passwords as the configuration allows."""
        attack, target = (ssh_tries, None) if role == SSH else (attacks.register, self.target(role))
        for _ in range(MAXRETRY):
            attack(self.lab.net, target, source, tries=1)
        self.assertTrue(fixture.await_true(lambda: not self.lab.hears(role, source), PATIENCE), guard.said())

    @staticmethod
    def target(role):
        return {"srv16": CHAN_SIP_16, "srv22": PJSIP_22}[role]

    def friends_served(self, role):
        if role == SSH:
            return ssh.login(self.lab.net, "10.20.30.9") and ssh.login(self.lab.net, "2001:db8:900d::9")
        return self.lab.phones_work(role)
