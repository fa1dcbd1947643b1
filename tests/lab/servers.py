"""Real servers inside the lab's namespaces: Asterisk from its chroot, sshd from the host.

Each runs in a mount namespace of its own, so that its configuration, its accounts and its log folder are
mounted over the system's without a trace outside, and all mounts end with the process.
"""

import os
import shutil
import subprocess
import time

from syslog_file import SyslogFile

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("SERENO_LAB_CACHE", "/var/cache/sereno-lab")
HOST_NAME = "pbx"
SSH_USER, SSH_PASSWORD = "labuser", "Lab-Ssh-Pass"
# Log times are this zone's, so whoever reads the logs in a test must run with it too.
ZONE = "UTC"

# make_dev FOLDER SOCKET: a /dev with what a server needs, and SOCKET as its way to the log.
_DEV = r"""
make_dev() {
    local device
    mount -t tmpfs -o mode=755 tmpfs "$1"
    mkdir "$1/pts" "$1/shm"
    for device in null zero full random urandom tty; do
        touch "$1/$device"
        mount --bind "/dev/$device" "$1/$device"
    done
    touch "$1/log"
    mount --bind "$2" "$1/log"
}
"""

# The journal lives in a /run of its own and leaves the kernel's messages and its audit alone.
_JOURNAL = r"""
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/log/journal /run/systemd/journal /run/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nRateLimitBurst=0\n' >/run/systemd/journald.conf.d/lab.conf
setpriv --pdeathsig TERM /lib/systemd/systemd-journald &
for _ in {1..100}; do [ -S /run/systemd/journal/dev-log ] && break || sleep 0.05; done
"""

_ASTERISK = _DEV + r"""
set -e
hostname "$NAME"
""" + _JOURNAL + r"""
make_dev "$ROOT/dev" /run/systemd/journal/dev-log
mount --bind "$WORK/etc" "$ROOT/etc/asterisk"
mount --bind "$WORK/log" "$ROOT/var/log/asterisk"
mount --bind "$WORK/run" "$ROOT/run/asterisk"  # not /var/run: that link leads out of the chroot
mount --bind "$WORK/spool" "$ROOT/var/spool/asterisk"
mount --bind "$WORK/hosts" "$ROOT/etc/hosts"
mount -t proc proc "$ROOT/proc"
chown -R "$(chroot "$ROOT" id -u asterisk):$(chroot "$ROOT" id -g asterisk)" "$WORK/log" "$WORK/run" "$WORK/spool"
exec chroot "$ROOT" /usr/sbin/asterisk -f -U asterisk -G asterisk
"""

_SSHD = _DEV + r"""
set -e
hostname "$NAME"
make_dev "$WORK/dev" "$WORK/syslog.socket"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$WORK/dev/pts"
ln -s pts/ptmx "$WORK/dev/ptmx"
mount --rbind "$WORK/dev" /dev
for file in passwd shadow group hosts; do mount --bind "$WORK/$file" "/etc/$file"; done
mount --bind "$WORK/pam" /etc/pam.d/sshd
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -f "$WORK/sshd_config"
"""


class ServerFault(Exception):
    """A server that does not start, with the end of what it said."""


class Server:
    """A process in a role's namespaces, with its folder; stop() ends it."""

    def __init__(self, lab, role, work, script, **settings):
        self.lab, self.role, self.work = lab, role, work
        settings.update(WORK=work, NAME=HOST_NAME, TZ=ZONE, PATH=os.environ["PATH"], LC_ALL="C.UTF-8")
        words = lab.command(role, "unshare", "--mount", "--uts", "--propagation", "private", "bash", "-c", script)
        self.console = os.path.join(work, "console.log")
        with open(self.console, "ab") as output:
            self.process = subprocess.Popen(
                words, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def await_ready(self, ready, seconds=60):
        """Waits until ready() is true; a server that has ended, or never gets there, is a ServerFault."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            if ready():
                return self
            time.sleep(0.1)
        self.stop()
        with open(self.console, errors="replace") as said:
            raise ServerFault(f"{self.role} does not start: {said.read()[-800:]}")

    def inside(self, *words):
        """Runs a command where the server lives: its root, mounts and network. Returns what it printed."""
        enter = ["nsenter", "-t", str(self.process.pid), "-m", "-n", "-u", "-r", "-w", "--", *words]
        return subprocess.run(enter, capture_output=True, text=True, errors="replace").stdout

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Asterisk(Server):
    """Asterisk, with a journal of its own that gets what it says to syslog."""

    def beside(self, *words):
        """The words of a command that runs on the host's files, but with this server's /run and its journal."""
        return ["nsenter", "-t", str(self.process.pid), "-m", "--", *words]

    def command(self, text):
        """What `asterisk -rx TEXT` prints."""
        return self.inside("/usr/sbin/asterisk", "-rx", text)

    def log(self, name):
        """The path, on the host, of a log file: full, messages, security (text) or guard (JSON)."""
        return os.path.join(self.work, "log", name)


class Sshd(Server):
    syslog = None

    def stop(self):
        super().stop()
        if self.syslog:
            self.syslog.close()
            self.syslog = None


def _hosts(path, names=""):
    with open(path, "w", encoding="ascii") as hosts:
        hosts.write(f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n{names}")


def _certificate(path):
    """A key and its own certificate in one file, readable by the server's user."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", f"/CN={HOST_NAME}", "-keyout", path, "-out", f"{path}.crt"]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    with open(f"{path}.crt", "rb") as certificate, open(path, "ab") as both:
        both.write(certificate.read())
    os.chmod(path, 0o644)


def start_asterisk(lab, role, work, version, changes=None):
    """Starts Asterisk 16 or 22 in the namespace of a role, with a fresh folder, and waits until it has booted.

    changes: file name -> text appended to that file of the standard configuration.
    """
    root = os.path.join(CACHE, f"asterisk{version}")
    for part in ("etc", "log", "run", "spool"):
        os.makedirs(os.path.join(work, part))
    for source in ("common", str(version)):
        shutil.copytree(os.path.join(HERE, "asterisk", source), os.path.join(work, "etc"), dirs_exist_ok=True)
    for name, text in (changes or {}).items():
        with open(os.path.join(work, "etc", name), "a", encoding="utf-8") as file:
            file.write(text)
    _certificate(os.path.join(work, "etc", "lab.pem"))
    _hosts(os.path.join(work, "hosts"))
    server = Asterisk(lab, role, work, _ASTERISK, ROOT=root)
    return server.await_ready(lambda: "fully booted" in server.command("core waitfullybooted"))


def _accounts(work):
    """The host's accounts plus the test user, for sshd's own view of /etc."""
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", SSH_PASSWORD], capture_output=True, text=True, check=True
    ).stdout.strip()
    extra = {
        "passwd": f"{SSH_USER}:x:4242:4242::/tmp:/bin/sh\n",
        "shadow": f"{SSH_USER}:{hashed}:19000:0:99999:7:::\n",
        "group": f"{SSH_USER}:x:4242:\n",
    }
    for name, line in extra.items():
        path = os.path.join(work, name)
        shutil.copyfile(f"/etc/{name}", path)
        os.chmod(path, 0o600 if name == "shadow" else 0o644)
        with open(path, "a", encoding="ascii") as file:
            file.write(line)


def start_sshd(lab, role, work, form="bsd", changes="", names=""):
    """Starts sshd on port 22 of a role's namespace; its log is WORK/auth.log, in the form named.

    changes: text appended to sshd_config; names: lines for the server's /etc/hosts.
    """
    os.makedirs(os.path.join(work, "dev"))
    os.chmod(work, 0o755)
    keys = os.path.join(work, "keys")
    os.makedirs(keys, mode=0o700)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", f"{keys}/ed25519"], check=True
    )
    with open(f"{HERE}/sshd/sshd_config", encoding="ascii") as given, open(f"{work}/sshd_config", "w") as own:
        own.write(given.read().replace("KEYS", keys) + changes)
    shutil.copyfile(f"{HERE}/sshd/pam", f"{work}/pam")
    _accounts(work)
    _hosts(f"{work}/hosts", names)
    syslog = SyslogFile(f"{work}/syslog.socket", f"{work}/auth.log", form)
    server = Sshd(lab, role, work, _SSHD)
    server.syslog = syslog

    def listens():
        with open(syslog.path, errors="replace") as log:
            return "Server listening on :: port" in log.read()

    return server.await_ready(listens, 20)
