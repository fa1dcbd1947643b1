#!/usr/bin/env python3
"""Rules of other firewalls, taken over: what got in under them gets in under the policy, and nothing else.

    SERENO_BIN=/path/to/sereno imports.py [-v]          (root; tests/lab/setup doors has run)
"""

import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import struct
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import fixture
import guard
import house
import net
from house import CLIENT, SERVER, STRANGER, V4, V6

PAGE = pathlib.Path(__file__).resolve().parents[2] / "crates/sereno-import/tests/data/page.txt"
FIREWALLD = os.environ.get("SERENO_LAB_CACHE", "/var/cache/sereno-lab") + "/firewalld"
# Who speaks: somebody of the page's LAN, and a stranger, in each family.
LAN, LAN6 = "10.20.30.7", "2001:db8:900d::7"
WORLD, WORLD6 = "203.0.113.9", "2001:db8:bad::9"
TCP = (22, 25, 80, 110, 143, 443, 3306, 5038, 8088, 9090, 9091)
UDP = (69, 2727, 4569, 5060, 9999, 10000, 15000, 20000, 20001)
# What the page opens to all.
OPEN_TCP, OPEN_UDP = (22, 25, 80, 110, 143, 443, 9090), (2727, 4569, 5060, 10000, 15000, 20000)
DEAF = 0.4
# A port of its own for each datagram: one that comes again belongs to a conversation some earlier rules let in.
PORTS_OF_THEIR_OWN = itertools.count(30000)


def pings(source, target):
    """Whether an echo request is answered (RFC 792, RFC 4443)."""
    family = net.family_of(source)
    request, reply, kind = (8, 0, socket.IPPROTO_ICMP) if family == V4 else (128, 129, socket.IPPROTO_ICMPV6)
    mark = secrets.token_bytes(8)
    with socket.socket(family, socket.SOCK_RAW, kind) as sock:
        sock.bind((source, 0))
        # Another number each time, or it would be of a conversation that goes on.
        head = struct.pack("!BBHHH", request, 0, 0, secrets.randbits(16), 1) + mark
        total = sum(struct.unpack(f"!{len(head) // 2}H", head))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        # The kernel fills in that of ICMPv6.
        sock.sendto(head[:2] + struct.pack("!H", total ^ 0xFFFF) + head[4:], (target, 0))
        end = time.monotonic() + DEAF
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                got = sock.recv(256)
            except OSError:
                break
            message = got[(got[0] & 15) * 4 :] if family == V4 else got
            if message[:1] == bytes([reply]) and message.endswith(mark):
                return True
    return False


class Imports(house.HouseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        missing = [what for what in ("/usr/sbin/ufw", FIREWALLD) if not os.path.exists(what)]
        fixture.skip(f"missing {' '.join(missing)}: run tests/lab/setup doors" if missing else "")
        for port in set(TCP) - set(house.PORTS):
            cls.house.listen(SERVER, port)
        cls.house.listen(STRANGER, 53)
        for port in UDP:
            cls.house.echo(SERVER, port)
        cls.house.echo(STRANGER, 53)

    def passes(self, source, proto, port):
        """Whether something new from an address gets in and is answered."""
        role, family = (CLIENT if source in (LAN, LAN6) else STRANGER), net.family_of(source)
        if proto == "ping":
            return net.in_namespace(self.house.net.name(role), lambda: pings(source, net.server_address(SERVER, family)))
        if proto == "tcp":
            return self.house.reaches(role, port, family, source)
        with self.house.net.socket(source, socket.SOCK_DGRAM, next(PORTS_OF_THEIR_OWN), DEAF) as sock:
            sock.sendto(b"?", (net.server_address(SERVER, family), port))
            try:
                return sock.recv(8) == b"?"
            except OSError:
                return False

    def answered(self, family):
        """Whether answers come in to what the server asks: over TCP and UDP, of another port than it serves."""
        there = net.server_address(STRANGER, family)

        def ask():
            with socket.create_connection((there, 53), DEAF) as sock:
                tcp = sock.recv(2) == b"hi"
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(DEAF)
                sock.sendto(b"?", (there, 53))
                return tcp and sock.recv(8) == b"?"

        try:
            return net.in_namespace(self.house.net.name(SERVER), ask)
        except OSError:
            return False

    def probes(self, sources):
        """The table: everybody at every port, and ping."""
        all_ports = [("tcp", port) for port in TCP] + [("udp", port) for port in UDP] + [("ping", 0)]
        keys = [(source, *what) for source in sources for what in all_ports]
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(keys, pool.map(lambda key: self.passes(*key), keys)))

    def take(self, kind, *files, code=0, force=False):
        """Imports into this test's folder; what it said."""
        call = [guard.BINARY, "import", kind, "--json", "--into", f"{self.work}/sereno.toml", *["--force"] * force, *files]
        done = subprocess.run(call, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def guarding(self):
        """Sereno with what was imported, in force."""
        porter = self.porter("--config", f"{self.work}/sereno.toml")
        for words in (["apply"], ["confirm"]):
            call = self.house.net.command(SERVER, "env", "-u", "SSH_CONNECTION", guard.BINARY, "--socket", porter.socket, "gate", *words)
            subprocess.run(call, check=True, capture_output=True, timeout=30)
        return porter

    def explained(self, porter, source, proto, port):
        words = [proto, source, *[str(port)] * (proto != "ping")]
        call = self.house.net.command(SERVER, guard.BINARY, "--socket", porter.socket, "gate", "explain", *words)
        done = subprocess.run(call, capture_output=True, text=True, timeout=30)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode == 0

    def assert_same(self, found, wanted):
        self.assertEqual({key for key in wanted if found[key] != wanted[key]}, set())

    def test_the_page(self):
        """Typed as it is printed: as it was meant, for both families; by iptables itself the same for IPv4."""
        text = PAGE.read_text(encoding="utf-8").replace("192.168.0.0", "10.20.30.0")
        wanted = {}
        for source in (LAN, LAN6, WORLD, WORLD6):
            for port in TCP:
                wanted[source, "tcp", port] = source == LAN or port in OPEN_TCP
            for port in UDP:
                wanted[source, "udp", port] = source == LAN or port in OPEN_UDP
            wanted[source, "ping", 0] = source == LAN
        self.assertEqual(len(wanted), 84)
        self.addCleanup(self.house.run, SERVER, "iptables", "-F")
        commands = re.sub(r"-j\s*\n", "-j ", text)
        for line in re.findall(r"^# (iptables -A .*)", commands, re.M):
            self.house.run(SERVER, *line.split())
        by_iptables = self.probes((LAN, WORLD))
        self.assert_same(by_iptables, {key: yes for key, yes in wanted.items() if key[0] in (LAN, WORLD)})
        self.assertTrue(self.answered(V4))
        self.assertTrue(self.passes(WORLD6, "tcp", 3306), "the page leaves IPv6 open")
        self.house.run(SERVER, "iptables", "-F")

        said = self.take("iptables", self.write("page.txt", text))
        weak = {key for one in said["remarks"] if one["grade"] == "weak" for key in ([one["remark"]] if isinstance(one["remark"], str) else one["remark"])}
        self.assertEqual(weak, {"v6-open", "only-on", "replies-late", "wide", "delicate", "clear", "spoofed"})
        porter = self.guarding()
        by_sereno = self.probes((LAN, LAN6, WORLD, WORLD6))
        self.assert_same(by_sereno, wanted)
        self.assertTrue(self.answered(V4) and self.answered(V6))
        for (source, proto, port), yes in wanted.items():
            with self.subTest(source=source, proto=proto, port=port):
                self.assertEqual(self.explained(porter, source, proto, port), yes)

    def test_what_iptables_save_prints(self):
        """Rules of several kinds, put into the kernel, printed by its own program, and taken over."""
        v4 = ["-P INPUT DROP", "-N LAN", "-A INPUT -i lo -j ACCEPT", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
              "-A INPUT -s 203.0.113.128/25 -j DROP", "-A INPUT -s 10.20.30.0/24 -j LAN", "-A LAN -p tcp -m multiport --dports 22,3306,5038 -j ACCEPT",
              "-A LAN -p udp --dport 5000:9999 -j ACCEPT", "-A INPUT -p tcp --dport 80 -m comment --comment 'the \"web\"' -j ACCEPT",
              "-A INPUT -p tcp -m iprange --src-range 203.0.113.5-203.0.113.11 --dport 8088 -j ACCEPT", "-A INPUT -p icmp --icmp-type 8 -j ACCEPT",
              "-A INPUT ! -s 10.0.0.0/8 -p udp --dport 5060 -j REJECT", "-A INPUT -p udp --dport 5060 -j ACCEPT"]  # fmt: skip
        v6 = ["-P INPUT DROP", "-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT", "-A INPUT -p icmpv6 -j ACCEPT",
              "-A INPUT -p tcp --dport 80 -j ACCEPT", "-A INPUT -s 2001:db8:bad::/48 -p tcp --dport 25 -j ACCEPT"]  # fmt: skip
        for program, rules in (("iptables", v4), ("ip6tables", v6)):
            self.addCleanup(self.house.run, SERVER, "nft", "flush", "ruleset")
            for rule in rules:
                self.house.run(SERVER, "sh", "-c", f"{program} {rule}")
        everybody = (LAN, LAN6, WORLD, WORLD6, "203.0.113.200")
        wanted = self.probes(everybody)
        self.assertEqual({wanted[LAN, "tcp", 3306], wanted[WORLD, "tcp", 8088], wanted[WORLD6, "tcp", 25]}, {True})
        files = [self.write(f"rules.v{4 + 2 * six}", self.house.run(SERVER, f"ip{'6' * six}tables-save")) for six in (0, 1)]
        self.house.run(SERVER, "nft", "flush", "ruleset")
        said = self.take("iptables", *files)
        self.assertIn('the \\"web\\"', json.dumps(said["policy"]["rules"]))
        self.guarding()
        self.assert_same(self.probes(everybody), wanted)

    def ufw(self, folder, *commands):
        """Runs ufw in the server's namespace, with its files in a folder of this test."""
        mounts = "mount --bind $0/ufw /etc/ufw && mount --bind $0/default/ufw /etc/default/ufw && exec ufw"
        for command in commands:
            self.house.run(SERVER, "unshare", "--mount", "sh", "-c", f'{mounts} "$@"', folder, *command.split(" "))

    def test_ufw(self):
        """What the real ufw made of its commands, in the kernel and taken over."""
        folder = f"{self.work}/etc"
        shutil.copytree("/etc/ufw", f"{folder}/ufw")
        os.makedirs(f"{folder}/default")
        shutil.copy("/etc/default/ufw", f"{folder}/default/ufw")
        everybody = (LAN, LAN6, WORLD, WORLD6, "203.0.113.200")
        self.addCleanup(self.house.run, SERVER, "nft", "flush", "ruleset")
        self.ufw(folder, "allow 22/tcp", "allow from 10.20.30.0/24", "deny from 203.0.113.128/25 to any port 80 proto tcp",
                 "allow 80,443/tcp", "limit 9090/tcp", "allow 10000:20000/udp", "reject 25/tcp", "allow from 2001:db8:900d::/64 to any port 5060 proto udp",
                 "insert 1 deny from 203.0.113.9 to any port 443 proto tcp", "allow in on eth0 to any port 3306 proto tcp", "--force enable")  # fmt: skip
        wanted = self.probes(everybody)
        known = {(LAN, "udp", 9999): True, (WORLD, "tcp", 443): False, (WORLD6, "tcp", 443): True, (WORLD, "tcp", 9090): True,
                 ("203.0.113.200", "tcp", 80): False, (LAN6, "udp", 5060): True, (WORLD, "ping", 0): True, (WORLD6, "udp", 5060): False}  # fmt: skip
        self.assert_same(wanted, known)
        self.house.run(SERVER, "nft", "flush", "ruleset")
        said = self.take("ufw", f"{folder}/ufw")
        self.assertEqual([one for one in said["remarks"] if one["grade"] == "left"], [])
        self.assertIn('"allow tcp/9090 rate 10/minute burst 5"', self.read("sereno.toml"))
        self.guarding()
        self.assert_same(self.probes(everybody), wanted)

    def test_firewalld(self):
        """What its own program writes, read as its manual says."""
        shutil.copytree(f"{FIREWALLD}/etc", f"{self.work}/etc")
        shutil.copytree(f"{FIREWALLD}/usr/lib/firewalld", f"{self.work}/usr/lib/firewalld")
        program = ["env", f"PYTHONPATH={FIREWALLD}/usr/lib/python3/dist-packages", "/usr/bin/python3", f"{FIREWALLD}/usr/bin/firewall-offline-cmd",
                   "--system-config", f"{self.work}/etc/firewalld", "--default-config", f"{self.work}/usr/lib/firewalld"]  # fmt: skip
        for words in (["--zone=public", "--add-service=sip"], ["--zone=public", "--add-service=https"], ["--zone=public", "--add-port=10000-20000/udp"],
                      ["--zone=internal", "--add-source=10.20.30.0/24"], ["--zone=internal", "--add-port=3306/tcp"], ["--zone=trusted", "--add-source=2001:db8:900d::/64"],
                      ["--zone=public", "--add-rich-rule=rule family=ipv4 source address=203.0.113.128/25 port port=443 protocol=tcp drop"],
                      ["--zone=public", "--add-rich-rule=rule family=ipv4 source address=203.0.113.0/24 port port=5038 protocol=tcp accept"],
                      ["--zone=public", "--add-icmp-block=echo-request"]):  # fmt: skip
            subprocess.run([*program, *words], check=True, capture_output=True, timeout=60)
        said = self.take("firewalld", f"{self.work}/etc/firewalld")
        self.assertEqual([one for one in said["remarks"] if one["grade"] == "left"], [])
        self.guarding()
        public = {("tcp", 22), ("tcp", 443), ("udp", 5060), ("udp", 10000), ("udp", 15000), ("udp", 20000)}
        own = {
            LAN: {("tcp", 22), ("tcp", 3306), ("ping", 0)},
            WORLD: public | {("tcp", 5038)},
            WORLD6: public,
            "203.0.113.200": public - {("tcp", 443)} | {("tcp", 5038)},
        }
        found = self.probes((*own, LAN6))
        self.assert_same(found, {key: key[0] == LAN6 or key[1:] in own[key[0]] for key in found})

    def test_csf(self):
        """By what its readme says: the program is in no archive."""
        conf = 'TESTING = "0"\nTCP_IN = "22,80,443,9000:9090"\nTCP6_IN = "22,443"\nUDP_IN = "5060,10000:20000"\nUDP6_IN = ""\nIPV6 = "1"\nICMP_IN = "1"\n'
        conf += 'CONNLIMIT = "22;5,80;20,9050;7"\nPORTFLOOD = "443;tcp;20;300"\nDROP = "DROP"\nCC_DENY = "XX"\n'
        self.write("csf.conf", conf)
        self.write("csf.allow", "10.20.30.0/24 # the phones\ntcp|in|d=3306|s=203.0.113.9\nudp|out|d=53|d=192.0.2.1\n")
        self.write("csf.deny", "203.0.113.200 # lfd: too many\n2001:db8:bad::/64\n")
        said = self.take("csf", self.work, code=1)
        self.assertEqual([one["text"] for one in said["remarks"] if one["grade"] == "left"], ['CC_DENY = "XX"', "udp|out|d=53|d=192.0.2.1"])
        text = self.read("sereno.toml")
        for line in ('"allow all from 10.20.30.0/24   # the phones"', '"allow ssh limit 5"', '"allow tcp/9050 from 0.0.0.0/0 limit 7"', "rate 240/hour burst 20"):
            self.assertIn(line, text)
        self.guarding()
        four = {("tcp", 22), ("tcp", 80), ("tcp", 443), ("tcp", 9090), ("udp", 5060), ("udp", 10000), ("udp", 15000), ("udp", 20000), ("ping", 0)}
        own = {WORLD: four | {("tcp", 3306)}, "203.0.113.10": four, LAN6: {("tcp", 22), ("tcp", 443), ("ping", 0)}, "203.0.113.200": set(), WORLD6: set()}
        found = self.probes((*own, LAN))
        self.assert_same(found, {key: key[0] == LAN or key[1:] in own[key[0]] for key in found})

    def test_a_file_that_is_there_is_kept(self):
        rules = self.write("rules", "iptables -A INPUT -p tcp --dport 22 -j ACCEPT\niptables -A INPUT -j DROP\n")
        self.write("sereno.toml", "# mine\n")
        call = [guard.BINARY, "import", "iptables", "--into", f"{self.work}/sereno.toml", rules]
        self.assertEqual(subprocess.run(call, capture_output=True).returncode, 1)
        self.assertEqual(self.read("sereno.toml"), "# mine\n")
        self.take("iptables", rules, force=True)
        self.assertIn('"allow ssh"', self.read("sereno.toml"))


class PageByIptables(Imports):
    """The guide's page where the policy is enforced by iptables, as on a machine without nftables."""

    backend = "iptables"


class PageByOldIptables(PageByIptables):
    """The same with iptables in its old form, which is no part of nftables."""

    backend = "legacy"


# Only the page: the others are about what is read.
for name in [name for name in vars(Imports) if name.startswith("test_") and name != "test_the_page"]:
    setattr(PageByIptables, name, None)


if __name__ == "__main__":
    unittest.main()
