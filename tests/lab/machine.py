#!/usr/bin/env python3
"""A whole Debian, booted: does the guard find what runs there by itself, and does nothing of the journal escape it?

    SERENO_BIN=/path/to/sereno machine.py [-v]          (root; tests/lab/setup has run)

systemd is process 1, sshd writes to the journal and nowhere else, and there is no configuration. What a test
changes of the machine lies in memory and ends with it.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import net
import probe
import servers
import ssh
from fixture import await_true, skip

BINARY = os.environ.get("SERENO_BIN", "")
ROOT = os.path.join(servers.CACHE, "debian12")
ROLE = "sshsrv"  # whose place in the lab's network the machine takes
PORT = 2222  # not the one everybody guesses
MAXRETRY = 3  # what the guard finds right by itself
PATIENCE = 5.0
CGROUPS = f"sereno-machine-{os.getpid()}"

# The machine gets a cgroup tree of its own: what this system made of the others does not matter then.
_CGROUPS = "set -e; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "
_BOOT = _CGROUPS + r"""
mkdir "/sys/fs/cgroup/$CGROUPS"
echo $$ >"/sys/fs/cgroup/$CGROUPS/cgroup.procs"
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/scratch" "$WORK/root"
mount -t overlay -o "lowerdir=$ROOT,upperdir=$WORK/upper,workdir=$WORK/scratch" overlay "$WORK/root"
echo "Port $PORT" >"$WORK/root/etc/ssh/sshd_config.d/port.conf"
rm "$WORK/root/etc/systemd/system/multi-user.target.wants/fail2ban.service" # who wants it switches it on
exec systemd-nspawn --quiet --directory="$WORK/root" --machine="$CGROUPS" --boot --register=no --keep-unit \
    --network-namespace-path="$NETWORK" --console=pipe --link-journal=no --resolv-conf=off --timezone=off \
    --bind-ro="$BINARY:/usr/local/bin/sereno" --capability=CAP_NET_ADMIN
"""
_SWEEP = _CGROUPS + 'find "/sys/fs/cgroup/$CGROUPS" -depth -type d -exec rmdir {} +'


class NoMachine(Exception):
    """Why no machine can be booted here."""


def why_not():
    """Why this cannot run here, or an empty text."""
    if os.geteuid() != 0:
        return "the machine needs root"
    if not BINARY:
        return "SERENO_BIN is not set"
    if not os.path.exists("/usr/bin/systemd-nspawn") or not os.path.isdir(ROOT):
        return "run tests/lab/setup first"
    tried = _in_own_mounts(_CGROUPS, capture_output=True, text=True)
    return f"no cgroup tree can be had: {tried.stderr.strip()}" if tried.returncode else ""


def _in_own_mounts(script, **options):
    words = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script]
    return subprocess.run(words, stdin=subprocess.DEVNULL, **options)


class Machine:
    """The booted system, in the lab's network. Everything is gone after close()."""

    def __init__(self):
        self.net = net.Net(servers=(ROLE,)).__enter__()
        network = f"/run/netns/{self.net.name(ROLE)}"
        self.work = tempfile.mkdtemp(prefix="sereno-machine")
        settings = {"ROOT": ROOT, "WORK": self.work, "CGROUPS": CGROUPS, "NETWORK": network, "PORT": str(PORT)}
        settings["BINARY"] = os.path.realpath(BINARY)
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **settings}
        self.said = b""
        words = ["unshare", "--mount", "--propagation", "private", "bash", "-c", _BOOT]
        self.process = subprocess.Popen(
            words, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()
        self.first = None
        try:
            self._await_boot()
        except BaseException:
            self.close()
            raise

    def _listen(self):
        for line in self.process.stdout:
            self.said = (self.said + line)[-2000:]

    def _await_boot(self):
        """Waits until systemd has started everything. It is this process' first and only child."""

        def stands():
            if self.process.poll() is not None:
                raise NoMachine(f"systemd-nspawn ends: {self.said.decode(errors='replace').strip()}")
            found = subprocess.run(["pgrep", "-P", str(self.process.pid), "-x", "systemd"], capture_output=True)
            self.first = found.stdout.decode().strip()
            return self.first and self.run("systemctl is-active ssh.service", check=False).strip() == "active"

        if not await_true(stands, 30):
            raise AssertionError(f"the machine does not come up: {self.said.decode(errors='replace')}")

    def words(self, script, user="root"):
        """The words of a command that runs a shell script inside, as a login of this user."""
        enter = ["nsenter", "-t", self.first, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        return [*enter, *clean, "runuser", "-l", user, "-c", script]

    def run(self, script, user="root", check=True):
        """What a shell script printed; an AssertionError when it fails."""
        done = subprocess.run(self.words(script, user), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"{script}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout

    def hears(self, source, port=PORT):
        return probe.tcp_connects(self.net, source, ROLE, port)

    def wrong_passwords(self, source, tries=1, port=PORT):
        """So many logins that fail, all at once: sshd lets each wait two seconds."""
        attempt = lambda: ssh.login(self.net, source, "root", "wrong", ROLE, ("-p", str(port)))
        threads = [threading.Thread(target=attempt) for _ in range(tries)]
        for thread in threads:
            thread.start()
        return threads

    def close(self):
        """Pulls the plug."""
        if self.first:
            os.kill(int(self.first), signal.SIGKILL)  # all others in there end with process 1
        else:
            self.process.kill()
        self.process.wait()
        self.net.close()
        self.listener.join()
        os.rmdir(self.work)  # what was in it was mounted for the machine alone
        await_true(lambda: _in_own_mounts(_SWEEP, env=self.environment, stderr=subprocess.DEVNULL).returncode == 0, 5)


def join(threads):
    for thread in threads:
        thread.join()


class Guarded(unittest.TestCase):
    """One machine for all. Each test has a guard with nothing in its memory, and addresses of its own."""

    @classmethod
    def setUpClass(cls):
        try:
            reason = why_not()
            if not reason:
                cls.machine = Machine()
        except NoMachine as told:
            reason = str(told)
        skip(reason)
        cls.addClassCleanup(cls.machine.close)

    def guard(self, user="root"):
        """`sereno run` in the foreground, as the README has it; its output goes to a file of the user."""
        # Whoever was shut out could not say goodbye: sshd would log that while the next test counts.
        self.machine.run("pkill -KILL -f '^sshd(-[a-z]+)?: [a-z]+ [[]'; rm -rf /var/lib/sereno")
        self.start(user)

    def start(self, user="root"):
        running = subprocess.Popen(self.machine.words("exec sereno run >>run.log 2>&1", user), stdin=subprocess.DEVNULL)
        self.addCleanup(running.wait, 10)
        self.addCleanup(self.machine.run, "sereno stop", user, check=False)  # the last one added comes first
        stands = lambda: self.machine.run("sereno status --json", user, check=False)
        self.assertTrue(await_true(stands), self.machine.run("cat run.log", user))
        time.sleep(0.5)  # the first look at the journal

    def jail(self, user="root"):
        return json.loads(self.machine.run("sereno status --json", user, check=False))["jails"][0]

    def check_shut_out(self, source, port=PORT):
        """The address is shut out after exactly MAXRETRY failures, and nobody else is."""
        self.assertTrue(await_true(lambda: not self.machine.hears(source, port), PATIENCE), self.jail())
        self.assertTrue(self.machine.hears("203.0.113.200", port))
        self.assertEqual(self.jail()["failures"], MAXRETRY, "nothing lost, nothing counted twice")


class Bans(Guarded):
    def test_everything_is_found(self):
        """No word of configuration: the journal, the port, and the attacker who no longer arrives."""
        source = "203.0.113.41"
        self.guard()
        self.assertEqual(self.jail()["ports"], f"tcp/{PORT}")
        self.assertIn("journal", self.jail()["sources"][0]["what"])
        join(self.machine.wrong_passwords(source, MAXRETRY - 1))
        self.assertTrue(self.machine.hears(source), "two mistakes are no attack")
        join(self.machine.wrong_passwords(source))
        self.check_shut_out(source)
        seen = self.jail()["sources"][0]
        self.assertTrue(seen["last_line"] and seen["last_match"] and seen["lag"] == 0, seen)
        self.assertIn("All is well", self.machine.run("sereno status"))
        self.assertIn(source, self.machine.run("sereno bans"))
        self.assertIn("authentication failure", self.machine.run(f"sereno why {source}"))

    def test_the_journal_is_restarted_rotated_and_emptied(self):
        source = "203.0.113.42"
        self.guard()
        join(self.machine.wrong_passwords(source))
        self.machine.run("systemctl restart systemd-journald")
        join(self.machine.wrong_passwords(source))
        self.machine.run("journalctl --rotate --vacuum-time=1s 2>&1")
        self.assertTrue(self.machine.hears(source))
        join(self.machine.wrong_passwords(source))
        self.check_shut_out(source)

    def test_journalctl_is_killed(self):
        """What comes while no journalctl runs is read by the next one, also when the last entry read is gone."""
        source = "203.0.113.43"
        self.guard()
        join(self.machine.wrong_passwords(source))
        self.machine.run("pkill -KILL -x journalctl; journalctl --rotate --vacuum-time=1s 2>&1")
        join(self.machine.wrong_passwords(source, MAXRETRY - 1))
        self.check_shut_out(source)

    def test_the_guard_is_away_before_the_first_line(self):
        source = "203.0.113.44"
        self.guard()
        self.machine.run("sereno stop")
        join(self.machine.wrong_passwords(source, MAXRETRY))
        self.assertTrue(self.machine.hears(source))
        self.start()
        self.check_shut_out(source)

    def test_systemd_holds_the_port(self):
        """Socket activation: `Port` of sshd's configuration has no effect."""
        source, port = "203.0.113.45", 2422
        override = "/run/systemd/system/ssh.socket.d"
        self.machine.run(
            f"systemctl stop ssh.service; mkdir -p {override} && "
            f"printf '[Socket]\\nListenStream=\\nListenStream={port}\\n' >{override}/port.conf && "
            "systemctl daemon-reload && systemctl start ssh.socket"
        )
        back = f"systemctl stop ssh.socket ssh.service; rm -r {override}; systemctl daemon-reload; systemctl start ssh"
        self.addCleanup(self.machine.run, back)
        self.guard()
        self.assertIn(f"tcp/{port}", self.jail()["ports"].split(", "))
        join(self.machine.wrong_passwords(source, MAXRETRY, port))
        self.check_shut_out(source, port)


class Observers(Guarded):
    """Without root: said, and nobody banned."""

    def observe(self, user, groups=""):
        self.machine.run(f"useradd --create-home --shell /bin/sh {groups} {user}")
        self.guard(user)
        self.assertIn("OBSERVING ONLY", self.machine.run("cat run.log", user))

    def test_who_may_read_the_journal_says_whom_he_would_ban(self):
        source = "203.0.113.46"
        self.observe("eva", "--groups systemd-journal")
        join(self.machine.wrong_passwords(source, MAXRETRY))
        self.assertTrue(await_true(lambda: source in self.machine.run("cat run.log", "eva"), PATIENCE))
        self.assertTrue(self.machine.hears(source))

    def test_who_may_not_read_it_is_told(self):
        """journalctl shows a user without rights nothing, and with --quiet it does not say why."""
        self.observe("ana")
        self.assertIn("cannot read journal", self.machine.run("sereno status", "ana", check=False))


if __name__ == "__main__":
    unittest.main()
