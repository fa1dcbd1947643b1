"""Doors beside another firewall that closes everything: its ports open to who knocked, and to nobody else."""

import time
import unittest

import fixture
import house
from house import BOTH, CLIENT, SERVER, STRANGER

# What a reload forgets is put back within this.
REPAIRED = 15.0
SSH = (7453, 1874, 5759)
CONF = """[ssh]
sequence = 7453,1874,5759
seq_timeout = 10
tcpflags = syn
command = {} -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
[closeSSH]
sequence = 5759,7453,1874
seq_timeout = 10
tcpflags = syn
command = {} -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
"""
# Neighbours are found by ICMPv6, which a firewall of this kind has to let in.
RULES = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p {} -j ACCEPT
COMMIT
"""
TABLE = """table inet own {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        meta l4proto { icmp, ipv6-icmp } accept
    }
}
"""


class Closed(house.HouseCase):
    """What these tests share."""

    def iptables(self, suffix=""):
        """A closed firewall by iptables, for both families."""
        for tool, icmp in ((f"iptables{suffix}", "icmp"), (f"ip6tables{suffix}", "icmpv6")):
            self.house.run(SERVER, f"{tool}-restore", text=RULES.format(icmp))

    def opens_and_closes(self, families=BOTH):
        for family in families:
            with self.subTest(family=family.name):
                self.assert_shut(CLIENT, 22, family)
                self.house.knock(SSH, family=family)
                self.assert_opens(CLIENT, 22, family)
                self.assert_shut(STRANGER, 22, family)
                self.assert_shut(CLIENT, 443, family)
                self.assert_shut(CLIENT, 8088, family)
                with self.house.connect(CLIENT, 22, family) as sock:
                    self.house.knock((5759, 7453, 1874), family=family)
                    self.assert_shuts(CLIENT, 22, family)
                    self.assertTrue(house.echoes(sock), "what was established has to go on")

    def forgets(self, *words):
        """After the other firewall was loaded anew, who is in reaches the port again in time."""
        self.house.knock(SSH)
        self.assert_opens()
        for line in words:
            self.house.run(SERVER, *line.split())
        self.assertFalse(self.house.reaches(CLIENT), "nothing was forgotten")
        begun = time.monotonic()
        self.assert_opens(seconds=REPAIRED)
        print(f" (let pass again after {time.monotonic() - begun:.1f} s)", end="", flush=True)
        self.assert_shut(STRANGER)


class Beside(Closed):
    def test_iptables(self):
        self.iptables()
        self.knockd(CONF.format("iptables", "iptables"))
        self.opens_and_closes()

    def test_a_table_that_comes_later(self):
        self.knockd(CONF.format("iptables", "iptables"))
        self.house.knock(SSH)
        self.assert_opens()
        self.house.run(SERVER, "nft", "-f", "-", text=TABLE)
        self.assertFalse(self.house.reaches(CLIENT), "it closes everything")
        self.assert_opens(seconds=REPAIRED)
        self.assert_shut(STRANGER)
        self.assert_shut(CLIENT, 8088)

    def test_a_firewall_that_goes_is_an_alarm(self):
        self.house.run(SERVER, "nft", "-f", "-", text=TABLE)
        porter = self.knockd(CONF.format("iptables", "iptables"))
        self.assert_shut(STRANGER)
        self.house.run(SERVER, "nft", "delete", "table", "inet", "own")
        raised = fixture.await_true(lambda: "ports of ssh, closessh is gone" in porter.said(), REPAIRED)
        self.assertTrue(raised, porter.said())
        porter.order("reload")
        self.assert_shut(STRANGER)
        self.house.knock(SSH)
        self.assert_opens()

    def test_iptables_loaded_anew(self):
        self.iptables()
        self.knockd(CONF.format("iptables", "iptables"))
        rule = "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
        self.forgets("iptables -F INPUT", rule)

    def test_a_firewall_that_comes_later(self):
        """At a boot either may be first."""
        self.knockd(CONF.format("iptables", "iptables"))
        self.iptables()
        self.house.knock(SSH)
        self.assert_opens(seconds=REPAIRED)
        self.assert_shut(STRANGER)
        self.assert_shut(CLIENT, 8088)

    def test_a_last_rule_that_drops(self):
        """Many firewalls end in a rule, not in a policy."""
        for tool in ("iptables", "ip6tables"):
            for rule in ("-A INPUT -i lo -j ACCEPT", "-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT",
                         "-A INPUT -p icmp -j ACCEPT" if tool == "iptables" else "-A INPUT -p icmpv6 -j ACCEPT",
                         "-N END", "-A END -j REJECT", "-A INPUT -j END"):  # fmt: skip
                self.house.run(SERVER, tool, *rule.split())
        self.knockd(CONF.format("iptables", "iptables"))
        self.opens_and_closes()

    def test_a_table_of_nftables(self):
        self.house.run(SERVER, "nft", "-f", "-", text=TABLE)
        self.knockd(CONF.format("iptables", "iptables"))
        self.opens_and_closes()

    def test_a_table_of_nftables_loaded_anew(self):
        self.house.run(SERVER, "nft", "-f", "-", text=TABLE)
        self.knockd(CONF.format("iptables", "iptables"))
        path = self.write("own.nft", "delete table inet own\n" + TABLE)
        self.forgets(f"nft -f {path}")


class OldForm(Closed):
    """iptables in its old form. It stays known in a namespace, so that this one is its own."""

    def test_iptables_legacy(self):
        try:
            self.iptables("-legacy")
        except AssertionError as why:
            print(f"skipped: this kernel has no iptables in its old form: {why}")
            raise unittest.SkipTest(str(why)) from why
        self.knockd(CONF.format("iptables", "iptables"))
        self.opens_and_closes()
        self.forgets("iptables-legacy -F INPUT", "iptables-legacy -A INPUT -m state --state ESTABLISHED -j ACCEPT")
