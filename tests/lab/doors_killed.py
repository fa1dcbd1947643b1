"""Sereno killed at any time: the kernel ends openings by itself, and a restart knows what there was."""

import time

import fixture
import house
from doors_commands import LAMP, ONCE
from doors_signed import Spa
from house import CLIENT, STRANGER

KNOCK = (7311, 2904, 5127)
DOOR = '[door.ssh]\nports = "tcp/22"\nknock = [7311, 2904, 5127]\nopen = "{}s"\n'
# What is written is written within this.
WRITTEN = 0.3


class Killed(Spa):
    def test_the_kernel_ends_what_was_open(self):
        porter = self.doors(DOOR.format(4))
        self.house.knock(KNOCK)
        begun = time.monotonic()
        self.assert_opens()
        porter.kill()
        self.assertTrue(self.house.reaches(CLIENT), "it closed with its keeper")
        self.assert_shut(STRANGER)
        time.sleep(max(0.0, begun + 3.4 - time.monotonic()))
        self.assertTrue(self.house.reaches(CLIENT), "it closed too early")
        self.assert_shuts(seconds=2)
        self.assertLess(time.monotonic() - begun, 5.5)

    def test_who_is_in_stays_in_for_the_rest(self):
        porter = self.doors(DOOR.format(7))
        for family in house.BOTH:
            self.house.knock(KNOCK, family=family)
        begun = time.monotonic()
        self.assert_opens()
        before = porter.listed()[0]["ssh"]["entries"]
        time.sleep(WRITTEN)
        with self.house.connect(CLIENT) as sock:
            porter.kill()
            porter.start()
            self.assertEqual(porter.listed()[0]["ssh"]["entries"], before)
            self.assertTrue(house.echoes(sock))
            for family in house.BOTH:
                self.assertTrue(self.house.reaches(CLIENT, family=family))
            self.assert_shut(STRANGER)
            time.sleep(max(0.0, begun + 6.3 - time.monotonic()))
            self.assertTrue(self.house.reaches(CLIENT), "the restart took some of his time")
            self.assert_shuts(seconds=3)
            self.assertLess(time.monotonic() - begun, 9)
            self.assertTrue(house.echoes(sock))

    def test_a_kill_right_behind_the_knock(self):
        """Whenever it falls: what is in the ledger and what is in the kernel end together."""
        porter = self.doors(DOOR.format(2))
        for pause in (0, 0.002, 0.01, 0.05):
            with self.subTest(pause=pause):
                self.house.knock(KNOCK)
                time.sleep(pause)
                porter.kill()
                porter.start()
                if self.house.reaches(CLIENT):
                    self.assert_shuts(seconds=3.5)
                self.assertTrue(fixture.await_true(lambda: not porter.entries("ssh"), 4))
                self.assert_shut(STRANGER)

    def test_who_was_put_out_stays_out(self):
        porter = self.doors(DOOR.format(60))
        self.house.knock(KNOCK)
        self.assert_opens()
        porter.order("door", "close", "ssh", "198.51.100.202")
        porter.kill()
        porter.start()
        self.assert_shut()
        self.assertEqual(porter.entries("ssh"), set())

    def test_used_sequences_stay_used(self):
        self.write("once", " 7311,2904,5127\n 6112,4873,9031\n")
        porter = self.knockd(ONCE)
        self.house.knock(KNOCK)
        self.assert_opens()
        time.sleep(WRITTEN)
        # Even if the mark in the file was lost.
        self.write("once", " 7311,2904,5127\n 6112,4873,9031\n")
        porter.kill()
        porter.start()
        self.assert_shuts()
        self.house.knock(KNOCK)
        time.sleep(0.3)
        self.assert_shut()
        self.house.knock((6112, 4873, 9031))
        self.assert_opens()

    def test_stops_of_commands_are_done(self):
        """One that was due while nobody was there is done at the start, and a later one in time."""
        porter = self.knockd(LAMP)
        self.house.knock((4411, 2233, 5544))
        on = "on 198.51.100.202\n"
        self.assertTrue(fixture.await_true(lambda: self.read("lamp") == on))
        time.sleep(WRITTEN)
        porter.kill()
        time.sleep(2.2)
        self.assertEqual(self.read("lamp"), on)
        porter.start()
        self.assertTrue(fixture.await_true(lambda: self.read("lamp") == on + "off 198.51.100.202\n", 2), self.read("lamp"))
        self.house.knock((4411, 2233, 5544), family=house.V6)
        self.assertTrue(fixture.await_true(lambda: self.read("lamp").endswith("six 2001:db8:100::202\n")))
        time.sleep(WRITTEN)
        porter.kill()
        porter.start()
        self.assertFalse(self.read("lamp").endswith("off 2001:db8:100::202\n"), "too early")
        self.assertTrue(fixture.await_true(lambda: self.read("lamp").endswith("off 2001:db8:100::202\n"), 4))
        self.assertEqual(self.read("lamp").count("off"), 2)

    def test_a_stop_waits_for_commands_that_close(self):
        porter = self.knockd(LAMP.replace("= echo off", "= sleep 0.2; echo off"))
        addresses = {f"198.51.100.{n}" for n in range(10, 22)}
        for address in addresses:
            porter.order("door", "open", "lamp", address)
        self.assertTrue(fixture.await_true(lambda: self.read("lamp").count("on") == 12))
        porter.order("door", "close", "lamp")
        porter.stop()
        self.assertEqual({line.split()[1] for line in self.read("lamp").splitlines() if "off" in line}, addresses)

    def test_packets_stay_used(self):
        porter = self.doors(f'[door.ssh]\nspa = "{self.keys()}"\n')
        packet = self.fwknop()
        self.assert_opens()
        time.sleep(WRITTEN)
        porter.kill()
        porter.start()
        self.assertEqual(porter.entries("ssh"), {"198.51.100.202"})
        self.assertTrue(self.house.reaches(CLIENT))
        porter.order("door", "close", "ssh")
        for role in (STRANGER, CLIENT):
            self.house.datagram(packet, role)
        self.assert_refused(porter, "replay", 2)
        self.assert_shut(STRANGER)

    def test_the_end_of_a_cycle_is_done(self):
        access = self.keys()
        with open(access, "a", encoding="ascii") as text:
            text.write(f"CMD_CYCLE_OPEN echo open $IP >> {self.work}/cycle\nCMD_CYCLE_CLOSE echo close $IP >> {self.work}/cycle\n"
                       "CMD_CYCLE_TIMER 2\n")  # fmt: skip
        porter = self.doors(f'[door.ssh]\nspa = "{access}"\n')
        self.fwknop()
        self.assertTrue(fixture.await_true(lambda: self.read("cycle") == "open 198.51.100.202\n"))
        time.sleep(WRITTEN)
        porter.kill()
        time.sleep(2)
        porter.start()
        want = "open 198.51.100.202\nclose 198.51.100.202\n"
        self.assertTrue(fixture.await_true(lambda: self.read("cycle") == want, 2), self.read("cycle"))


class Lasting(house.HouseCase):
    """What outlives a stop, a reload, and others who work at the firewall."""

    def test_doors_stay_closed_when_it_stops(self):
        porter = self.doors(DOOR.format(4))
        self.house.knock(KNOCK)
        self.assert_opens()
        porter.stop()
        self.assertTrue(self.house.reaches(CLIENT))
        self.assert_shut(STRANGER)
        self.assert_shuts(seconds=6)

    def test_a_flush_is_mended(self):
        """Of everything, and of the table: who is in is in, and the others are not."""
        self.doors(DOOR.format(60))
        self.house.knock(KNOCK)
        self.assert_opens()
        for words in ("nft flush ruleset", "nft delete table inet sereno"):
            with self.subTest(words=words):
                self.house.run(house.SERVER, *words.split())
                self.assert_shuts(STRANGER, seconds=15)
                self.assertTrue(self.house.reaches(CLIENT))
        self.house.knock(KNOCK, family=house.V6)
        self.assert_opens(family=house.V6)

    def test_a_reload_keeps_who_is_in(self):
        porter = self.doors(DOOR.format(60))
        self.house.knock(KNOCK)
        self.assert_opens()
        self.write("sereno.toml", DOOR.format(60).replace("7311, 2904, 5127", "7311, 2904, 5128"))
        porter.order("reload")
        self.assertEqual(porter.entries("ssh"), {"198.51.100.202"})
        self.assertTrue(self.house.reaches(CLIENT))
        self.house.knock(KNOCK, STRANGER)
        time.sleep(0.3)
        self.assert_shut(STRANGER)
        self.house.knock((7311, 2904, 5128), STRANGER)
        self.assert_opens(STRANGER)

    def test_who_is_banned_is_not_heard(self):
        porter = self.doors(DOOR.format(60))
        porter.order("ban", "198.51.100.201")
        self.house.knock(KNOCK, STRANGER)
        time.sleep(0.3)
        self.assert_shut(STRANGER)
        self.assertEqual(porter.entries("ssh"), set())
        porter.order("unban", "198.51.100.201")
        self.house.knock(KNOCK, STRANGER)
        self.assert_opens(STRANGER)
