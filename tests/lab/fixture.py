"""What the lab's tests share: the network and the servers, started when first asked for, ended with the module."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import net
import probe
import servers
from sip import Phone

VERSIONS = {"srv16": 16, "srv22": 22}


def why_not():
    """Why the lab cannot run here, or an empty text."""
    if os.geteuid() != 0:
        return "the lab needs root"
    if not all(os.path.exists(f"{servers.CACHE}/asterisk{v}/usr/sbin/asterisk") for v in VERSIONS.values()):
        return "run tests/lab/setup first"
    missing = [tool for tool in ("sshpass", "dbclient", "nft", "svmap", "sipp") if not shutil.which(tool)]
    return f"missing {' '.join(missing)}: run tests/lab/setup" if missing else ""


class Lab:
    """The network with its servers. Everything is gone after close()."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="sereno-lab")
        os.chmod(self.work, 0o755)
        self.net = net.Net().__enter__()
        self._running = {}

    def server(self, role):
        if role not in self._running:
            start = servers.start_sshd if role == "sshsrv" else servers.start_asterisk
            extra = () if role == "sshsrv" else (VERSIONS[role],)
            self._running[role] = start(self.net, role, f"{self.work}/{role}", *extra)
        return self._running[role]

    def forget(self, role):
        """Ends a server; the next who asks for it gets a fresh one."""
        if role in self._running:
            self._running.pop(role).stop()
            shutil.rmtree(f"{self.work}/{role}")

    def changed_server(self, role, changes):
        """Asterisk with changes to its configuration, as start_asterisk takes them; forget() it afterwards."""
        self.forget(role)
        self._running[role] = servers.start_asterisk(self.net, role, f"{self.work}/{role}", VERSIONS[role], changes)

    def close(self):
        for server in self._running.values():
            server.stop()
        self.net.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def nft(self, role, text):
        """Runs nft commands in a server's namespace."""
        subprocess.run(self.net.command(role, "nft", "-f", "-"), input=text, text=True, check=True)

    def phone(self, role, source, user, port=5060, transport="udp"):
        server = net.server_address(role, net.family_of(source))
        return Phone(self.net, source, server, user, port=port, transport=transport)

    def phones_work(self, role):
        """Whether phones of every sort at a server still register and call. Leaves them logged out."""
        users = {"srv16": (("100", 5060), ("600", 5160)), "srv22": (("600", 5060),)}[role]
        for user, port in users:
            for source in ("10.20.30.1", "2001:db8:900d::1"):
                with self.phone(role, source, user, port) as phone:
                    works = phone.register() and phone.call()
                    phone.client.register(user, phone.password, expires=0)
                if not works:
                    return False
        return True

    def hears(self, role, source):
        """Whether a server still hears an address. SIP over UDP and the manager over TCP must agree."""
        if role == "sshsrv":
            return probe.tcp_connects(self.net, source, role, 22)
        with ThreadPoolExecutor(2) as pool:  # who is shut out waits for both in vain
            for _ in range(3):  # a ban may fall between two probes
                by_sip = pool.submit(probe.sip_answers, self.net, source, role)
                found = {probe.tcp_connects(self.net, source, role, 5038), by_sip.result()}
                if len(found) == 1:
                    return found.pop()
        raise AssertionError(f"{role} hears {source} on some ports only")


def await_true(check, seconds=10.0, step=0.1):
    """Whether check() came true in time."""
    end = time.monotonic() + seconds
    while True:
        if check():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(step)


def skip(reason):
    """Skips the tests of a class, saying why, if there is a reason."""
    if reason:
        print(f"skipped: {reason}")
        raise unittest.SkipTest(reason)


class LabCase(unittest.TestCase):
    """A test case with the lab as self.lab; skipped, saying why, where the lab cannot run."""

    @classmethod
    def setUpClass(cls):
        skip(why_not())
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
