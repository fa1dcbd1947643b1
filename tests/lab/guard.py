"""The program under test, run in a server's namespace as an administrator would run it.

SERENO_BIN names it. Commands: `run --config FILE --state DIR --socket PATH`, and as a client
`--socket PATH` with `status --json`, `bans --json`, `ban ADDR`, `unban ADDR`, `unban --all`.
"""

import ipaddress
import json
import os
import signal
import subprocess

import fixture
import servers

BINARY = os.environ.get("SERENO_BIN", "")
MAXRETRY = 5  # as in guard.toml
# role -> jail, log's name under the server's folder
SOURCES = {"srv16": ("asterisk", "full"), "srv22": ("asterisk", "full"), "sshsrv": ("sshd", "auth.log")}


class Program:
    """Sereno in a server's namespace. Its state outlives stop() and kill(), so that start() is a restart."""

    def __init__(self, net, role, work, *options):
        """options: what `run` is told besides where its state is."""
        self.net, self.role, self.work, self.options = net, role, work, options
        os.makedirs(f"{work}/state", exist_ok=True)
        self.socket = f"{work}/control.socket"
        self.process = None
        # What starts it: a program that ends with the words behind it.
        self.prefix = ()

    def command(self, *words):
        """The words of a command of ours where the program lives."""
        return self.net.command(self.role, BINARY, "--socket", self.socket, *words)

    def start(self):
        words = self.command("run", *self.options, "--state", f"{self.work}/state")
        # The zone of the servers' logs is the zone of the machine the guard believes to be on.
        environment = {**os.environ, "TZ": servers.ZONE}
        with open(f"{self.work}/guard.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *words], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        if not fixture.await_true(lambda: self.process.poll() is not None or self.answers()):
            raise AssertionError(f"the guard does not answer: {self.said()}")
        if self.process.poll() is not None:
            raise AssertionError(f"the guard ended: {self.said()}")

    def said(self):
        with open(f"{self.work}/guard.log", errors="replace") as log:
            return log.read()[-2000:]

    def ask(self, *words):
        """Runs a client command; the finished process."""
        call = self.command(*words)
        return subprocess.run(call, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)

    def answers(self):
        return os.path.exists(self.socket) and self.ask("status", "--json").returncode in (0, 1)  # 1: it answers, with an alarm

    def order(self, *words):
        done = self.ask(*words)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def _end(self, signal_number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal_number)
            self.process.wait(10)


class Guard(Program):
    """One guard for one server."""

    def __init__(self, lab, role, work, file=None, journal=False):
        """file: a log other than the usual one; journal: read Asterisk's syslog in the journal, not a file."""
        super().__init__(lab.net, role, work, "--config", f"{work}/guard.toml")
        self.lab, self.journal = lab, journal
        server, (jail, name) = lab.server(role), SOURCES[role]
        logs = server.work if role == "sshsrv" else f"{server.work}/log"
        # A first start looks back a little; what earlier tests did is none of this guard's business.
        if os.path.exists(f"{logs}/{file or name}"):
            os.truncate(f"{logs}/{file or name}", 0)
        with open(f"{servers.HERE}/guard.toml", encoding="ascii") as given, open(f"{work}/guard.toml", "w") as own:
            source = 'journal = ["_COMM=asterisk"]' if journal else f'logpath = ["{logs}/{file or name}"]'
            own.write(given.read().replace("@JAIL@", jail).replace("@SOURCE@", source))

    def command(self, *words):
        """The words of a command of ours where the guard lives."""
        words = [BINARY, "--socket", self.socket, *words]
        return self.lab.net.command(self.role, *(self.lab.server(self.role).beside(*words) if self.journal else words))

    def bans(self):
        """Every address or prefix `bans --json` names, wherever in the answer it stands."""
        found, rest = set(), [json.loads(self.order("bans", "--json"))]
        while rest:
            value = rest.pop()
            if isinstance(value, dict):
                rest += [*value.values(), *value.keys()]
            elif isinstance(value, list):
                rest += value
            elif isinstance(value, str):
                try:
                    found.add(ipaddress.ip_network(value, strict=False))
                except ValueError:
                    pass
        return found

    def bans_address(self, address):
        address = ipaddress.ip_address(address)
        return any(address in ban for ban in self.bans())
