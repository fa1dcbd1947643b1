"""The programs under measurement, each started the same way: one sshd jail on one log, bans by nftables."""

import json
import os
import shutil
import signal
import subprocess
import time

import patterns

TICK = 1 / os.sysconf("SC_CLK_TCK")
NOBODY = 1000  # failures until a ban where nobody shall be banned; each attacker has fewer


class Guard:
    """One daemon with a folder of its own. `start` returns when it reads its log."""

    name = ""

    def __init__(self, work, maxretry=3, extra=""):
        self.work, self.maxretry, self.extra = f"{work}/{self.name}", maxretry, extra
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.log, self.process = f"{self.work}/auth.log", None
        with open(self.log, "w", encoding="ascii") as log:
            log.write("Jan  1 00:00:00 pbx sshd[1]: Server listening on 0.0.0.0 port 22.\n")
        self.configure()

    def start(self, stdin=subprocess.DEVNULL):
        with open(f"{self.work}/said", "ab") as said:
            words = ["setpriv", "--pdeathsig", "KILL", *self.command()]  # so that it does not outlive the bench
            self.process = subprocess.Popen(words, stdin=stdin, stdout=said, stderr=said)
        end = time.monotonic() + 30
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not start: {open(f'{self.work}/said').read()[-1500:]}")
            time.sleep(0.02)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def append(self, path):
        """Copies a file to the end of the log in pieces of 1 MiB, as fast as it goes."""
        with open(path, "rb") as source, open(self.log, "ab", buffering=0) as log:
            while piece := source.read(1 << 20):
                log.write(piece)

    def cpu(self):
        """User and system seconds so far, of the process and its finished children."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:15])) * TICK

    def memory(self):
        """Resident memory now and at most, in MB of 10^6 bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return tuple(int(fields[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))

    def busy_until(self, before, patience):
        """Waits until it has done next to nothing for two seconds; the moment when it last worked."""
        last, spent, end = time.monotonic(), before, time.monotonic() + patience
        while time.monotonic() < end:
            time.sleep(0.02)
            now = self.cpu()
            if now > spent + 1.5 * TICK:
                last, spent = time.monotonic(), now
            elif time.monotonic() - last > 2 and spent > before:
                break
        return last


class Sereno(Guard):
    """Ours. SERENO_BIN names it."""

    name, binary = "sereno", os.environ.get("SERENO_BIN", "target/release/sereno")

    def configure(self):
        with open(f"{self.work}/sereno.toml", "w", encoding="ascii") as out:
            accounts = "maxaccounts = 0\n" if self.maxretry == NOBODY else ""
            source = self.log if self.extra != "stdin" else "-"
            out.write(f'[jail.sshd]\nlogpath = ["{source}"]\nports = "all"\nmaxretry = {self.maxretry}\n{accounts}')
            out.write(self.extra if self.extra != "stdin" else "")

    def command(self):
        return [self.binary, "run", "--config", f"{self.work}/sereno.toml", "--state", f"{self.work}/state",
                "--socket", f"{self.work}/socket"]  # fmt: skip

    def status(self):
        words = [self.binary, "--socket", f"{self.work}/socket", "status", "--json"]
        out = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout
        return json.loads(out) if out else None

    def jail(self, patience=300):
        """What the status says of the first jail, when it answers: its client gives up after 30 s."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if status := self.status():
                return status["jails"][0]
        raise RuntimeError("sereno does not answer")

    def ready(self):
        return os.path.exists(f"{self.work}/socket") and self.status() is not None

    def busy_until(self, before, patience):
        """Its status says when all is read."""
        end = time.monotonic() + patience
        while time.monotonic() < end and any(source["lag"] for source in self.jail()["sources"]):
            time.sleep(0.05)
        return time.monotonic()


class Fail2banRs(Guard):
    """Built by cargo into the cache."""

    name, binary = "fail2ban-rs", ""

    def configure(self):
        with open(f"{self.work}/config.toml", "w", encoding="ascii") as out:
            out.write(f"""[global]
state_file = "{self.work}/state"
socket_path = "{self.work}/socket"
[jail.sshd]
enabled = true
log_path = "{self.log}"
date_format = "syslog"
filter = {json.dumps(patterns.HOST["sshd"])}
port = ["22"]
protocol = "tcp"
max_retry = {self.maxretry}
find_time = "10m"
ban_time = "1h"
backend = "nftables"
""")

    def command(self):
        return [self.binary, "--config", f"{self.work}/config.toml", "run"]

    def ready(self):
        if not os.path.exists(f"{self.work}/socket"):
            return False
        time.sleep(1.0)  # its reader opens the log and goes to its end
        return True


class Fail2ban(Guard):
    """Debian's, with its own filter and action, and without its database."""

    name = "fail2ban"

    def configure(self):
        shutil.copytree("/etc/fail2ban", f"{self.work}/etc", symlinks=True)
        shutil.rmtree(f"{self.work}/etc/jail.d", ignore_errors=True)
        with open(f"{self.work}/etc/fail2ban.local", "w", encoding="ascii") as out:
            out.write(f"[Definition]\ndbfile = None\nlogtarget = {self.work}/log\nsocket = {self.work}/socket\n"
                      f"pidfile = {self.work}/pid\n")  # fmt: skip
        with open(f"{self.work}/etc/jail.local", "w", encoding="ascii") as out:
            out.write(f"[DEFAULT]\nbanaction = nftables-allports\nusedns = no\nbackend = auto\n[sshd]\nenabled = true\n"
                      f"logpath = {self.log}\nmaxretry = {self.maxretry}\nfindtime = 600\nbantime = 3600\n")  # fmt: skip

    def command(self):
        return ["fail2ban-server", "-c", f"{self.work}/etc", "-xf", "start"]

    def ready(self):
        words = ["fail2ban-client", "-c", f"{self.work}/etc", "status", "sshd"]
        if not os.path.exists(f"{self.work}/socket"):
            return False
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
