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
set +e
code=133 # what it ends with when the machine wants to come up again
while [ $code = 133 ]; do
systemd-nspawn --quiet --directory="$WORK/root" --machine="$CGROUPS" --boot --register=no --keep-unit \
    --network-namespace-path="$NETWORK" --console=pipe --link-journal=no --resolv-conf=off --timezone=off \
    --bind-ro="$BINARY:/usr/local/bin/sereno" --capability=CAP_NET_ADMIN
code=$?
done
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


def children(process, name):
    """The children of a process that have this name."""
    found = subprocess.run(["pgrep", "-P", str(process), "-x", name], capture_output=True, text=True)
    return found.stdout.strip()


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
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
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
        """Waits until systemd has started everything. It is the child of this process' only child."""

        def stands():
            if self.process.poll() is not None:
                raise NoMachine(f"systemd-nspawn ends: {self.said.decode(errors='replace').strip()}")
            nspawn = children(self.process.pid, "systemd-nspawn")
            self.first = nspawn and children(nspawn, "systemd")
            return self.first and self.run("systemctl is-active ssh.service", check=False).strip() == "active"

        if not await_true(stands, 30):
            raise AssertionError(f"the machine does not come up: {self.said.decode(errors='replace')}")

    def again(self, before):
        """Waits until it has come up again, with another process 1."""
        gone = lambda: not os.path.exists(f"/proc/{before}")
        if not await_true(gone, 30):
            raise AssertionError("the machine does not go down")
        self._await_boot()

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
            os.killpg(self.process.pid, signal.SIGKILL)
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


class Boots(Guarded):
    """The service of the guide, and what holds when the machine comes up again."""

    UNITS = "/etc/systemd/system"
    POLICY = f"""[gate]
trusted = ["203.0.113.0/26"]
rules = ["allow tcp/{PORT} from trusted"]
"""
    # It brings the network up, and looks what is there by then.
    WITNESS = """[Unit]
DefaultDependencies=no
After=network-pre.target
Before=network.target
Wants=network.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'nft list table inet sereno >/witnessed'
[Install]
WantedBy=multi-user.target
"""

    def put(self, path, text):
        words = self.machine.words(f"mkdir -p $(dirname {path}) && cat >{path}")
        subprocess.run(words, input=text.encode(), check=True, timeout=30)

    def reboot(self):
        # Its network is the lab's, and outlives it; a kernel's does not.
        self.machine.run("systemctl stop sereno; nft flush ruleset")
        before, self.machine.first = self.machine.first, None
        subprocess.run(["kill", "-s", "SIGRTMIN+5", before], check=True)  # systemd(1): reboot.target
        self.machine.again(before)

    def test_the_gate_stands_before_the_network(self):
        inside, outside = "203.0.113.50", "203.0.113.200"
        with open(os.path.join(os.path.dirname(__file__), "../../dist/sereno.service"), encoding="utf-8") as unit:
            self.put(f"{self.UNITS}/sereno.service", unit.read())
        self.put(f"{self.UNITS}/witness.service", self.WITNESS)
        self.put("/etc/sereno/sereno.toml", self.POLICY)
        self.machine.run("systemctl daemon-reload; systemctl enable --now sereno; systemctl enable witness")
        self.addCleanup(self.machine.run, "systemctl disable --now sereno; rm -r /etc/sereno /var/lib/sereno")
        self.machine.run("sereno gate apply; sereno gate confirm; sereno ban 203.0.113.51 --for 1h")
        # The files say something else by then, which nobody tried.
        self.put("/etc/sereno/sereno.toml", self.POLICY.replace("203.0.113.0/26", "203.0.113.0/24"))
        self.reboot()
        seen = self.machine.run("cat /witnessed")
        self.assertIn("203.0.113.0/26", seen.replace("203.0.113.0-203.0.113.63", "203.0.113.0/26"))
        self.assertIn("203.0.113.51", seen)
        self.assertTrue(self.machine.hears(inside))
        self.assertFalse(self.machine.hears("203.0.113.51") or self.machine.hears(outside))


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
