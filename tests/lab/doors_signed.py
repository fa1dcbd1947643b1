"""Doors that open to signed packets: the real fwknop client, and those who repeat or change what it sent."""

import datetime
import os
import re
import time

import fixture
import guard
import house
import net
from house import CLIENT, SERVER, STRANGER

# In base64; fwknop's keys.
OTHER_KEY = "c29tZSBvdGhlciBrZXkgb2YgMzIgYnl0ZXMuLi4uLi4="


class Spa(house.HouseCase):
    """What these tests share: keys by `door keygen`, and the client with them."""

    def keys(self, ports="tcp/22"):
        """The server's file and the client's, as `door keygen` makes them."""
        host = net.server_address(SERVER)
        said = self.house.run(SERVER, guard.BINARY, "door", "keygen", "ssh", "--into", f"{self.work}/keys",
                              "--ports", ports, "--host", host)  # fmt: skip
        stanza = said[said.index("[ssh]\nSPA_SERVER") :]
        self.rc = self.write("fwknoprc", stanza)
        self.key, self.hmac = (re.search(rf"^{name} (\S+)$", stanza, re.M)[1] for name in ("KEY_BASE64", "HMAC_KEY_BASE64"))
        self.access = f"{self.work}/keys/ssh.access"
        return self.access

    def fwknop(self, *words, role=CLIENT, stanza="ssh"):
        """The real client sends a packet; the bytes of it."""
        home, packet = f"{self.work}/home", f"{self.work}/packet"
        os.makedirs(home, exist_ok=True)
        if os.path.exists(packet):
            os.remove(packet)
        self.house.run(role, "fwknop", "--rc-file", self.rc, "-n", stanza, "-s", "--save-packet", packet, *words,
                       env={**os.environ, "HOME": home, "LOGNAME": "labuser", "USER": "labuser"})  # fmt: skip
        return self.read("packet").strip().encode()

    def assert_refused(self, porter, reason, count=1, door="ssh"):
        """A packet was refused for this reason, and nobody came in."""
        there = fixture.await_true(lambda: porter.refused().get(reason, 0) >= count)
        self.assertTrue(there, f"{reason}: {porter.refused()}")
        self.assertEqual(porter.refused()[reason], count)
        self.assertEqual(porter.entries(door), set())


class Signed(Spa):
    """spa = FILE."""

    def spa(self, more="", ports="tcp/22"):
        access = self.keys(ports)
        with open(access, "a", encoding="ascii") as text:
            text.write(more)
        return self.doors(f'[door.ssh]\nspa = "{access}"\n')

    def test_a_packet_opens_for_its_sender(self):
        porter = self.spa("FW_ACCESS_TIMEOUT 3\n")
        self.fwknop()
        self.assert_opens()
        self.assert_shut(STRANGER)
        self.assert_shut(family=house.V6)
        self.assertEqual(porter.entries("ssh"), {"198.51.100.202"})
        self.assertEqual(porter.heard()["granted"], 1)
        with self.house.connect(CLIENT) as sock:
            time.sleep(3.2)
            self.assertEqual(porter.entries("ssh"), set())
            self.assertTrue(house.echoes(sock))

    def test_the_clients_time_counts_up_to_a_limit(self):
        porter = self.spa("MAX_FW_TIMEOUT 60\n")
        self.fwknop("-f", "2")
        self.assertTrue(fixture.await_true(lambda: porter.entries("ssh")))
        self.assertTrue(fixture.await_true(lambda: not porter.entries("ssh"), 4))
        self.fwknop("-f", "600")
        self.assertTrue(fixture.await_true(lambda: porter.entries("ssh")))
        (entry,) = porter.listed()[0]["ssh"]["entries"]
        self.assertAlmostEqual(seconds(entry["until"]) - seconds(entry["since"]), 60, delta=1)

    def test_several_ports(self):
        porter = self.spa(ports="tcp/22,tcp/443")
        self.fwknop("-A", "tcp/22,tcp/443")
        self.assert_opens()
        self.assert_opens(port=443)
        porter.order("door", "close", "ssh", "198.51.100.202")
        self.fwknop("-A", "tcp/443")
        self.assert_opens(port=443)
        entries = porter.listed()[0]["ssh"]["entries"]
        self.assertEqual([entry["port"] for entry in entries], ["tcp/443"])

    def test_ports_that_are_not_its_own(self):
        porter = self.spa()
        self.fwknop("-A", "tcp/22,tcp/443")
        self.assert_refused(porter, "ports")

    def test_a_packet_counts_once(self):
        """As it was and from whomever."""
        porter = self.spa()
        packet = self.fwknop()
        self.assert_opens()
        porter.order("door", "close", "ssh", "198.51.100.202")
        for count, role in enumerate((STRANGER, CLIENT), 1):
            self.house.datagram(packet, role)
            self.assert_refused(porter, "replay", count)
            self.assert_shut(role)

    def test_what_stands_behind_a_packet(self):
        """What base64 ends with, and more behind it, makes no other packet."""
        porter = self.spa()
        packet = self.fwknop()
        self.assert_opens()
        porter.order("door", "close", "ssh", "198.51.100.202")
        for tail in (b"=", b"==", b"=AAAA", b"\n", b"A"):
            self.house.datagram(packet + tail, STRANGER)
        self.assertTrue(fixture.await_true(lambda: sum(porter.refused().values()) == 5), porter.refused())
        self.assertEqual((porter.entries("ssh"), porter.heard()["granted"]), (set(), 1))

    def test_a_wrong_signature(self):
        porter = self.spa()
        self.fwknop("--key-base64-hmac", OTHER_KEY)
        self.assert_refused(porter, "hmac")
        packet = bytearray(self.fwknop("-D", "198.51.100.16"))  # to nobody
        self.assertEqual(porter.heard()["granted"], 0)
        packet[40] = ord("A") if packet[40] != ord("A") else ord("B")
        self.house.datagram(bytes(packet), CLIENT)
        self.assert_refused(porter, "hmac", 2)
        packet[40:] = packet[40:100]
        self.house.datagram(bytes(packet), CLIENT)
        self.assertTrue(fixture.await_true(lambda: sum(porter.refused().values()) == 3), porter.refused())

    def test_the_right_signature_and_another_key(self):
        porter = self.spa()
        self.fwknop("--key-base64-rijndael", OTHER_KEY)
        self.assertTrue(fixture.await_true(lambda: sum(porter.refused().values()) == 1))
        self.assertEqual((porter.heard()["granted"], porter.entries("ssh")), (0, set()))
        self.assertNotIn("hmac", porter.refused())

    def test_too_old_and_too_early(self):
        porter = self.spa()
        self.fwknop("--time-offset-minus", "125s")
        self.assert_refused(porter, "expired")
        self.fwknop("--time-offset-plus", "125s")
        self.assert_refused(porter, "future")
        self.fwknop("--time-offset-minus", "100s")
        self.assert_opens()

    def test_of_no_such_size(self):
        porter = self.spa()
        packet = self.fwknop("-D", "198.51.100.16")
        self.house.datagram(packet + b"A" * 1400, CLIENT)
        self.assert_refused(porter, "long")
        self.house.datagram(b"A" * 60_000, CLIENT)  # in fragments
        self.assert_refused(porter, "long", 2)
        self.house.datagram(packet[:100], CLIENT)
        self.assert_refused(porter, "short")
        self.house.datagram(b"", CLIENT)
        self.assert_refused(porter, "short", 2)
        self.house.datagram(packet, CLIENT)
        self.assert_opens()

    def test_over_ipv6(self):
        """The packet is fwknop's; only its way is another: fwknop itself has no IPv6."""
        porter = self.spa()
        packet = self.fwknop("-D", "198.51.100.16")
        self.house.datagram(packet, CLIENT, house.V6)
        self.assert_opens(family=house.V6)
        self.assertEqual(porter.entries("ssh"), {"2001:db8:100::202"})
        self.assert_shut()

    def test_an_address_inside(self):
        """It is let in who is named; and the sender has to be, where the file says so."""
        porter = self.spa()
        self.fwknop("-a", "198.51.100.201")
        self.assert_opens(STRANGER)
        self.assert_shut()
        self.assertEqual(porter.entries("ssh"), {"198.51.100.201"})

    def test_an_address_inside_is_asked_for(self):
        porter = self.spa("REQUIRE_SOURCE_ADDRESS Y\n")
        self.fwknop()
        self.assert_refused(porter, "address")
        self.fwknop("-a", "198.51.100.202")
        self.assert_opens()

    def test_commands_where_they_are_not_allowed(self):
        porter = self.spa()
        self.fwknop("-C", f"echo yes > {self.work}/ran")
        self.assert_refused(porter, "command")
        time.sleep(0.3)
        self.assertEqual(self.read("ran"), "")

    def test_commands_where_they_are_allowed(self):
        porter = self.spa("ENABLE_CMD_EXEC Y\nCMD_EXEC_USER nobody\nCMD_EXEC_GROUP nogroup\n")
        path = f"{self.work}/out"
        os.mkdir(path, 0o777)
        os.chmod(path, 0o777)
        os.chmod(self.work, 0o755)
        packet = self.fwknop("-C", f"id -un > {path}/ran")
        self.assertTrue(fixture.await_true(lambda: self.read("out/ran") == "nobody\n"), porter.said())
        os.remove(f"{path}/ran")
        self.house.datagram(packet, STRANGER)
        self.assert_refused(porter, "replay")
        self.assertEqual(self.read("out/ran"), "")

    def test_a_cycle(self):
        cycle = "CMD_CYCLE_OPEN echo open $IP $PORT $PROTO >> {0}\nCMD_CYCLE_CLOSE echo close $IP $PORT >> {0}\nCMD_CYCLE_TIMER 2\n"
        porter = self.spa(cycle.format(f"{self.work}/cycle"))
        self.fwknop()
        opened = "open 198.51.100.202 22 6\n"
        self.assertTrue(fixture.await_true(lambda: self.read("cycle") == opened), self.read("cycle") + porter.said())
        begun = time.monotonic()
        closed = opened + "close 198.51.100.202 22\n"
        self.assertTrue(fixture.await_true(lambda: self.read("cycle") == closed, 5), self.read("cycle"))
        self.assertGreater(time.monotonic() - begun, 1.5)

    def test_a_door_of_its_own_ports(self):
        """A packet opens the ports of the door, if it asks for these."""
        access = self.keys("tcp/22,tcp/443")
        porter = self.doors(f'[door.ssh]\nports = "tcp/22"\nspa = "{access}"\n')
        self.assert_shut()
        self.fwknop("-A", "tcp/22")
        self.assert_opens()
        porter.order("door", "close", "ssh")
        self.fwknop("-A", "tcp/443")
        time.sleep(0.3)
        self.assertEqual(porter.entries("ssh"), set())


class Fwknop(Spa):
    """access.conf as fwknopd has it, by --fwknop."""

    def test_stanzas(self):
        """The first that grants a packet counts; each source has its own."""
        self.keys()
        self.write("fwknopd.conf", "PCAP_FILTER udp port 62333;\nPCAP_INTF eth0;\n")
        key, other = self.key, self.hmac
        text = (
            f"SOURCE 198.51.100.201\nOPEN_PORTS tcp/443\nKEY_BASE64 {OTHER_KEY}\nHMAC_KEY_BASE64 {other}\n\n"
            f"SOURCE 198.51.100.0/24, 10.20.30.0/24\nREQUIRE_SOURCE_ADDRESS N\nOPEN_PORTS tcp/22\nKEY_BASE64 {key}\n"
            f"HMAC_KEY_BASE64 {other}\nFW_ACCESS_TIMEOUT 3\n"
        )
        self.porter("--fwknop", self.write("access.conf", text))
        self.fwknop()  # to the usual port, which nobody hears
        time.sleep(0.3)
        self.assert_shut()
        self.fwknop("-p", "62333")
        self.assert_opens()
        self.assert_shut(STRANGER)
        self.assert_shuts(seconds=5)
        self.fwknop("-p", "62333", "-A", "tcp/443", "--key-base64-rijndael", OTHER_KEY, role=STRANGER)
        self.assert_opens(STRANGER, 443)
        self.assert_shut(CLIENT, 443)

    def test_without_open_ports_a_packet_asks_for_any(self):
        self.keys()
        self.house.run(SERVER, "nft", "-f", "-", text=DROPS)
        text = f"SOURCE ANY\nKEY_BASE64 {self.key}\nHMAC_KEY_BASE64 {self.hmac}\nRESTRICT_PORTS tcp/443\n"
        self.porter("--fwknop", self.write("access.conf", text))
        self.assert_shut(port=8088)
        self.fwknop("-A", "tcp/8088")
        self.assert_opens(port=8088)
        self.assert_shut(STRANGER, 8088)
        self.assert_shut()
        self.fwknop("-A", "tcp/443")
        time.sleep(0.3)
        self.assert_shut(port=443)

    def test_a_file_that_others_can_read_is_refused(self):
        self.keys()
        text = f"SOURCE ANY\nKEY_BASE64 {self.key}\nHMAC_KEY_BASE64 {self.hmac}\nOPEN_PORTS tcp/22\n"
        path = self.write("access.conf", text, 0o644)
        os.chmod(path, 0o644)
        porter = house.Porter(self.house, self.work, "--fwknop", path)
        self.addCleanup(porter.stop)
        try:
            porter.start()
        except AssertionError:
            pass
        self.assertIn("chmod 600", porter.said())
        self.assertNotIn(self.key, porter.said())


DROPS = """table inet own {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
    }
}
"""


def seconds(moment):
    """A moment as it is told, in seconds."""
    return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
