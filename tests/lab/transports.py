"""The guard against attacks by other ways than SIP over UDP and TCP, and against what it reads in the journal."""

import glob
import os
import time
from functools import partial

import ami
import attacks
import fixture
import iax
import injection
import net
import streams
from attacks import CHAN_SIP_16, PJSIP_16, PJSIP_22
from guard import MAXRETRY
from guarded import Guarded

# What a stranger tries over a transport: label -> function(lab, target, source, transport=...).
TRIED = {
    "wrong password": partial(attacks.register, tries=MAXRETRY),
    "unknown account": partial(attacks.register, user="9{}9", tries=MAXRETRY),
    "call from nobody": partial(attacks.invite, numbers=attacks.FRAUD_NUMBERS, user="9009"),
}


class Transports(Guarded):
    def check(self, target, transports):
        """Every try over every transport is the end of its address; a phone on the same transport is served."""
        guard, plays = self.guard(target.role), {}
        for transport in transports:
            for label, play in TRIED.items():
                number = 40 + len(plays)
                source = f"203.0.113.{number}" if label != "unknown account" else f"2001:db8:bad:{number}::1"
                attack = partial(play, self.lab.net, target, source, transport=transport)
                plays[source] = f"{label} over {transport}", attack
        self.all_banned(guard, plays)
        for transport in transports:
            for source in ("10.20.30.1", "2001:db8:900d::1"):
                with self.subTest(target=target.name, phone=source, transport=transport):
                    self.check_phone(target, source, transport)
        guard.stop()

    def check_phone(self, target, source, transport):
        port = target.port_of(transport)
        with self.lab.phone(target.role, source, target.known, port, transport) as phone:
            self.assertTrue(phone.register())
            phone.client.register(phone.user, phone.password, expires=0)

    def test_pjsip_22(self):
        self.check(PJSIP_22, ("tls", "ws", "wss"))

    def test_pjsip_16(self):
        """Where both SIP drivers run, chan_sip has the WebSockets, unless it is told to leave them."""
        self.lab.changed_server("srv16", {"sip.conf": "\n[general](+)\nwebsocket_enabled = no\n"})
        self.addCleanup(self.lab.forget, "srv16")
        self.check(PJSIP_16, ("tls", "ws", "wss"))

    def test_chan_sip(self):
        self.check(CHAN_SIP_16, ("tls", "ws", "wss"))

    def test_tls_trouble(self):
        """Garbage and handshakes that cannot end well, to every port that speaks TLS."""
        ports = {"srv16": (CHAN_SIP_16.tls_port, PJSIP_16.tls_port, ami.HTTPS_PORT),
                 "srv22": (PJSIP_22.tls_port, ami.HTTPS_PORT)}  # fmt: skip
        for target in (CHAN_SIP_16, PJSIP_22):
            guard, plays = self.guard(target.role), {}
            for port in ports[target.role]:
                for play in (streams.garbage, streams.no_common_cipher):
                    number = 60 + len(plays)
                    source = f"203.0.113.{number}" if play is streams.garbage else f"2001:db8:bad:{number}::1"
                    attack = partial(attacks.tls_trouble, self.lab.net, target, source, port, play)
                    plays[source] = f"{play.__name__} to {port}", attack
            self.all_banned(guard, plays)
            self.check_phone(target, "10.20.30.1", "tls")
            guard.stop()

    def test_tls_trouble_of_phones(self):
        """A phone that distrusts the certificate is let be; so is one beside a phone that works, whatever it does."""
        target, office, lonely = PJSIP_22, "10.20.30.21", "10.20.30.22"
        guard = self.guard(target.role)
        self.check_phone(target, office, "tls")
        for play, port in ((streams.garbage, target.tls_port), (streams.distrust, ami.HTTPS_PORT)):
            attacks.tls_trouble(self.lab.net, target, office, port, play)
        attacks.tls_trouble(self.lab.net, target, lonely, target.tls_port, streams.distrust)
        time.sleep(2)
        self.assertEqual(guard.bans(), set())
        self.check_phone(target, office, "tls")

    def test_websocket_refused(self):
        """Requests for a WebSocket that come to nothing."""
        for role, source in (("srv16", "203.0.113.70"), ("srv22", "2001:db8:bad:70::1")):
            guard = self.guard(role)
            asks = (None, "nonsense", f"x', WebSocket connection from '{net.VICTIM}:1' could not be accepted - no key")
            attack = partial(self.ask_in_vain, role, source, asks)
            self.assertEqual(self.banned_after(role, source, attack, 2), 2)
            self.assertFalse(guard.bans_address(net.VICTIM))
            guard.stop()

    def ask_in_vain(self, role, source, protocols):
        for protocol in protocols:
            fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "eA==",
                      "Sec-WebSocket-Version": "13"}  # fmt: skip
            if protocol:
                fields["Sec-WebSocket-Protocol"] = protocol
            try:
                ami.http_get(self.lab.net, source, role, "/ws", fields)
            except OSError:
                pass  # shut out already

    def test_iax(self):
        """Wrong secrets over IAX2, by both families; IAX2 has no security events to lean on."""
        for role in ("srv16", "srv22"):
            guard, plays = self.guard(role), {}
            tries = {"wrong secret": "700", "unknown account": "799"}
            for label, user in tries.items():
                for source in (f"203.0.113.{80 + len(plays)}", f"2001:db8:bad:{80 + len(plays)}::1"):
                    plays[source] = label, partial(self.guess, role, source, user)
            self.all_banned(guard, plays)
            for source in plays:
                self.assertFalse(iax.answers(self.lab.net, source, role, 0.5))
            for source in ("10.20.30.7", "2001:db8:900d::7"):
                answer = iax.register(self.lab.net, source, role, "700", "Lab-Phone-700")
                self.assertEqual(answer, iax.REGACK)
            guard.stop()

    def guess(self, role, source, user):
        """Until refused as often as must be: what gets lost on the way, as UDP may, is no try."""
        refused = 0
        for _ in range(2 * MAXRETRY):
            refused += iax.register(self.lab.net, source, role, user, "wrong") == iax.REGREJ
            if refused == MAXRETRY:
                break


class Journal(Guarded):
    """Asterisk says it to syslog, a real journal keeps it, the guard reads the journal."""

    def journal_guard(self, role):
        guard = self.guard(role, journal=True)
        # The journal is read from now on, and "now" is when journalctl has opened it.
        self.assertTrue(fixture.await_true(lambda: reads_a_journal(guard.process.pid)), guard.said())
        return guard

    def test_bans(self):
        kinds = ("reg-wrong-pass", "reg-unknown-user", "inv-guest-fraud", "ami-wrong-pass", "iax-reg-wrong")
        for target in (CHAN_SIP_16, PJSIP_22):
            guard, known, plays = self.journal_guard(target.role), dict(attacks.campaign(target)), {}
            for kind in kinds:
                plays[known[kind]] = kind, partial(attacks.play, self.lab.net, target, kind, known[kind])
            there, elsewhere = "2001:db8:bad:90::1", "2001:db8:bad:91::1"
            plays[there] = "wrong password", partial(attacks.register, self.lab.net, target, there)
            plays[elsewhere] = "garbage", partial(attacks.tls_trouble, self.lab.net, target, elsewhere, ami.HTTPS_PORT)
            self.all_banned(guard, plays)
            self.assertTrue(self.lab.phones_work(target.role))
            guard.stop()

    def test_forgeries_hit_nobody_else(self):
        """Line breaks forge nothing here: an entry of the journal is one record, whatever is in it."""
        for role in ("srv16", "srv22"):
            guard = self.journal_guard(role)
            for kind, attacker, play in injection.injections(role):
                with self.subTest(role=role, kind=kind):
                    try:
                        play(self.lab.net, source=attacker)
                    except OSError:
                        pass  # shut out in the middle of it
                    self.assertFalse(guard.bans_address(net.VICTIM), guard.said())
            time.sleep(1.5)
            self.assertFalse(guard.bans_address(net.VICTIM), guard.said())
            self.assertTrue(self.lab.phones_work(role))
            guard.stop()


def reads_a_journal(pid):
    """Whether a child of a process has a journal open."""
    children = [child for path in glob.glob(f"/proc/{pid}/task/*/children") for child in read(path).split()]
    files = [file for child in children for file in glob.glob(f"/proc/{child}/fd/*")]
    return any(os.readlink(file).endswith(".journal") for file in files if os.path.lexists(file))


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()
