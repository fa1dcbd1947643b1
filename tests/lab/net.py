"""The lab's network: one bridge, a namespace for each server, one for all attackers, one for all phones.

Addresses are those of the documentation blocks: servers 198.51.100.16 / .22 / .23 / .24 and 2001:db8:100::16 ...,
attackers anywhere in 203.0.113.0/24 and 2001:db8:bad::/48, phones in 10.20.30.0/24 and 2001:db8:900d::/64,
and the victim of forgeries 192.0.2.66. Every address of a client block works without being configured one by
one: the client's namespace holds the whole block as a local route, the servers reach it through the client's
address on the bridge. Nothing has an uplink, so nothing can leave the machine.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading

SERVERS = {"srv16": 16, "srv22": 22, "sshsrv": 23, "doorsrv": 24}
GUARDED = ("srv16", "srv22", "sshsrv")
ATTACKERS = ("203.0.113.0/24", "2001:db8:bad::/48", "192.0.2.0/24")
PHONES = ("10.20.30.0/24", "2001:db8:900d::/64")
CLIENTS = {"attack": (201, ATTACKERS), "phones": (202, PHONES)}
VICTIM = "192.0.2.66"

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def server_address(role, family=socket.AF_INET):
    """The address of a namespace (a key of SERVERS or CLIENTS), as text."""
    host = SERVERS.get(role) or CLIENTS[role][0]
    return f"2001:db8:100::{host}" if family == socket.AF_INET6 else f"198.51.100.{host}"


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def in_namespace(name, work):
    """Runs work() in a thread that has entered a network namespace and returns its result.

    A socket belongs to the namespace it was made in, whoever uses it later; so one Python process can play
    every attacker and every phone.
    """
    outcome = {}

    def enter():
        try:
            with open(f"/run/netns/{name}", "rb") as handle:
                if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {name}")
            outcome["value"] = work()
        except Exception as error:  # handed to the caller below
            outcome["error"] = error

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome.get("value")


def _run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class Net:
    """Namespaces named ROLE-PID. Use as a context manager: leaving it kills what runs inside and removes them."""

    def __init__(self, servers=GUARDED):
        self.suffix = f"-{os.getpid()}"
        self.servers = tuple(servers)
        self.roles = ("net", *CLIENTS, *self.servers)

    def name(self, role):
        return role + self.suffix

    def __enter__(self):
        sweep()
        # A terminated test cleans up like one that ends; only SIGKILL leaves work for the next sweep.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _build(self):
        for role in self.roles:
            _run("ip", "netns", "add", self.name(role))
            _run("ip", "-n", self.name(role), "link", "set", "lo", "up")
            # No duplicate-address detection: it would keep IPv6 silent for the first two seconds.
            self._set(role, "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.dad_transmits=0")
        bridge = ["ip", "-n", self.name("net"), "link"]
        _run(*bridge, "add", "name", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        _run(*bridge, "set", "br0", "up")
        for number, role in enumerate(self.roles[1:]):
            self._plug(role, f"p{number}")
        for role, (_, blocks) in CLIENTS.items():
            self._own_blocks(role, blocks)

    def _plug(self, role, port):
        """Joins a namespace to the bridge and gives it its address and its way to the clients."""
        host = SERVERS.get(role) or CLIENTS[role][0]
        inside, hub = self.name(role), self.name("net")
        _run("ip", "-n", hub, "link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", inside)
        _run("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
        _run("ip", "-n", inside, "addr", "add", f"198.51.100.{host}/24", "dev", "eth0")
        _run("ip", "-n", inside, "addr", "add", f"2001:db8:100::{host}/64", "dev", "eth0", "nodad")
        _run("ip", "-n", inside, "link", "set", "eth0", "up")
        if role not in SERVERS:
            return
        for client, blocks in CLIENTS.values():
            for block in blocks:
                via = f"2001:db8:100::{client}" if ":" in block else f"198.51.100.{client}"
                _run("ip", "-n", inside, "route", "add", block, "via", via)

    def _own_blocks(self, role, blocks):
        for block in blocks:
            _run("ip", "-n", self.name(role), "route", "add", "local", block, "dev", "lo")
        self._set(role, "net.ipv6.ip_nonlocal_bind=1", "net.ipv4.ip_nonlocal_bind=1")

    def _set(self, role, *settings):
        _run(*self.command(role, "sysctl", "-q", "-w", *settings))

    def behind(self, role, block):
        """A machine behind a server, in a network of their own; its role. block: the first three bytes of an IPv4 /24.

        The server is host 1 there and the machine host 2; the server sends on what is for others.
        """
        inner, name = f"inner{role}", self.name(f"inner{role}")
        _run("ip", "netns", "add", name)
        self.roles += (inner,)
        _run("ip", "-n", self.name(role), "link", "add", "name", "room", "type", "veth", "peer", "name", "eth0", "netns", name)
        for where, host, link in ((role, 1, "room"), (inner, 2, "eth0")):
            _run("ip", "-n", self.name(where), "addr", "add", f"{block}.{host}/24", "dev", link)
            _run("ip", "-n", self.name(where), "link", "set", link, "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "route", "add", "default", "via", f"{block}.1")
        self._set(role, "net.ipv4.ip_forward=1")
        return inner

    def role_of(self, address):
        """Which client's namespace an attacker's or a phone's address lives in."""
        return "phones" if address.startswith(("10.20.30.", "2001:db8:900d:")) else "attack"

    def socket(self, source, kind, port=0, timeout=2.0):
        """A socket of kind SOCK_DGRAM or SOCK_STREAM bound to a client's address; timeout in seconds."""

        def make():
            sock = socket.socket(family_of(source), kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.settimeout(timeout)
            sock.bind((source, port))
            return sock

        return in_namespace(self.name(self.role_of(source)), make)

    def command(self, role, *words):
        """The words of a command that runs inside a role's network namespace."""
        return ["nsenter", f"--net=/run/netns/{self.name(role)}", "--", *map(str, words)]

    def close(self):
        for role in self.roles:
            remove(self.name(role))


def remove(name):
    """Ends what runs in a namespace and removes it; no error if it is gone already."""
    if not os.path.exists(f"/run/netns/{name}"):
        return
    found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    for pid in found.stdout.split():
        if int(pid) != os.getpid():
            try:
                os.kill(int(pid), 9)
            except ProcessLookupError:
                pass
    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def sweep():
    """Removes what a lab that was killed left behind: namespaces of ours whose process no longer lives."""
    shape = re.compile(r"(?:net|(?:inner)?(?:%s))-(\d+)" % "|".join([*CLIENTS, *SERVERS]))
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else ():
        match = shape.fullmatch(name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            remove(name)
