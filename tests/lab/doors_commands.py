"""Doors that run commands, one-time sequences, flags, UDP, and knockd's own manner."""

import os
import socket
import subprocess
import time

import fixture
import house
import net
from house import BOTH, CLIENT

ADDRESS = {house.V4: "198.51.100.202", house.V6: "2001:db8:100::202"}
LIGHT = """[light]
sequence = 1111,2222:udp,3333
seq_timeout = 5
tcpflags = syn
command = echo on %IP% >> @WORK@/light
"""
SLOW = """[hole]
sequence = 1111:udp,2222:udp
seq_timeout = 5
start_command = echo %IP% >> @WORK@/on; sleep 0.1
start_command_6 = echo %IP% >> @WORK@/on; sleep 0.1
cmd_timeout = 2
stop_command = echo %IP% >> @WORK@/off
stop_command_6 = echo %IP% >> @WORK@/off
"""
LAMP = """[lamp]
sequence = 4411,2233,5544
seq_timeout = 5
tcpflags = syn
start_command = echo on %IP% >> @WORK@/lamp
start_command_6 = echo six %IP% >> @WORK@/lamp
cmd_timeout = 2
stop_command = echo off %IP% >> @WORK@/lamp
"""
ONCE = """[ssh]
one_time_sequences = @WORK@/once
seq_timeout = 5
tcpflags = syn
start_command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
cmd_timeout = 1
stop_command = iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
"""
DOOR = """[ssh]
sequence = {}
seq_timeout = 5
tcpflags = {}
command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
"""
# What the kernel calls flags.
FIN, SYN, ACK = 1, 2, 16


class Commands(house.HouseCase):
    def awaits(self, name, want, seconds=house.SOON):
        """What a file says in the end."""
        fixture.await_true(lambda: self.read(name) == want, seconds)
        self.assertEqual(self.read(name), want)

    def test_whatever_was_opened_is_closed(self):
        """Also where so many knock that commands cannot follow: somebody with an IPv6 network of his own."""
        self.knockd(SLOW)

        def knock():
            for number in range(900):
                with socket.socket(house.V6, socket.SOCK_DGRAM) as sock:
                    sock.bind((f"2001:db8:900d::{number + 256:x}", 0))
                    for port in (1111, 2222):
                        sock.sendto(b"", (net.server_address(house.SERVER, house.V6), port))
                time.sleep(0.001)

        net.in_namespace(self.house.net.name(CLIENT), knock)
        lines = lambda name: set(self.read(name).splitlines())  # noqa: E731
        self.assertTrue(fixture.await_true(lambda: len(lines("off")) == 900, 60), (len(lines("on")), len(lines("off"))))
        self.assertLessEqual(lines("on"), lines("off"))
        self.assertGreater(len(lines("on")), 400)

    def test_a_command_is_run_with_the_address(self):
        self.knockd(LIGHT)
        self.house.knock(("1111", "2222:udp", "3333"))
        self.awaits("light", "on 198.51.100.202\n")
        self.house.knock(("1111", "2222:udp", "3333"), family=house.V6)
        self.awaits("light", "on 198.51.100.202\non 2001:db8:100::202\n")
        self.house.knock(("1111", "2222", "3333"))  # the second over TCP is wrong
        time.sleep(0.3)
        self.assertEqual(self.read("light").count("\n"), 2)

    def test_its_stop_is_run_once_after_the_last_knock(self):
        self.knockd("[options]\nlogfile = @WORK@/knockd.log\n" + LAMP)
        lamp = (4411, 2233, 5544)
        self.house.knock(lamp)
        time.sleep(1.2)
        self.house.knock(lamp)
        self.awaits("lamp", "on 198.51.100.202\n" * 2)
        time.sleep(1.2)  # the first would be over
        self.assertEqual(self.read("lamp"), "on 198.51.100.202\n" * 2)
        self.awaits("lamp", "on 198.51.100.202\n" * 2 + "off 198.51.100.202\n")
        self.house.knock(lamp, family=house.V6)
        tail = "six 2001:db8:100::202\noff 2001:db8:100::202\n"
        self.awaits("lamp", "on 198.51.100.202\n" * 2 + "off 198.51.100.202\n" + tail, 5)
        log = self.read("knockd.log")
        self.assertIn(f"] lamp: running command: echo on 198.51.100.202 >> {self.work}/lamp\n\n", log)
        self.assertIn("] 198.51.100.202: lamp: command timeout\n", log)
        self.assertIn(f"] lamp: running command: echo off 198.51.100.202 >> {self.work}/lamp\n\n", log)

    def test_a_command_that_fails_is_told(self):
        porter = self.knockd(LIGHT.replace("echo on", "echo broken lamp >&2; exit 3 #"))
        self.house.knock(("1111", "2222:udp", "3333"))
        self.assertTrue(fixture.await_true(lambda: "broken lamp" in porter.said()), porter.said())

    def test_only_udp(self):
        self.knockd(DOOR.format("6071:udp,5311:udp,6402:udp", "syn"))
        for family in BOTH:
            self.house.knock((6071, 5311, 6402), family=family)
            time.sleep(0.2)
            self.assert_shut(family=family)
            self.house.knock((6071, 5311, 6402), family=family, udp=True)
            self.assert_opens(family=family)

    def test_flags(self):
        """A door for FIN is not for SYN, and the other way round."""
        self.knockd(DOOR.format("6071,5311,6402", "fin,!ack"))
        self.house.knock((6071, 5311, 6402))
        self.fling(FIN | ACK)
        time.sleep(0.2)
        self.assert_shut()
        self.fling(FIN)
        self.assert_opens()

    def test_syn_is_not_answered_by_others(self):
        self.knockd(DOOR.format("6071,5311,6402", "syn"))
        self.fling(FIN)
        self.fling(ACK)
        time.sleep(0.2)
        self.assert_shut()
        self.fling(SYN)
        self.assert_opens()

    def fling(self, flags):
        self.house.flood(CLIENT, "--source", ADDRESS[house.V4], "--port", "6071,5311,6402", "--flags", flags,
                         "--rounds", 1, "--rate", 50)  # fmt: skip

    def test_sequences_that_are_good_once(self):
        path = self.write("once", " 7311,2904,5127\n 6112,4873,9031\n")
        porter = self.knockd(ONCE)
        first, second = (7311, 2904, 5127), (6112, 4873, 9031)
        self.house.knock(second)
        time.sleep(0.2)
        self.assert_shut()  # it is not its turn
        self.house.knock(first)
        self.assert_opens()
        self.assertTrue(fixture.await_true(lambda: self.read("once") == "#7311,2904,5127\n 6112,4873,9031\n"), self.read("once"))
        self.assert_shuts()
        self.house.knock(first)
        time.sleep(0.2)
        self.assert_shut()  # it was used
        self.house.knock(second, family=house.V6)
        self.assert_opens(family=house.V6)
        self.assertTrue(fixture.await_true(lambda: self.read("once") == "#7311,2904,5127\n#6112,4873,9031\n"), self.read("once"))
        self.assert_shuts(family=house.V6)
        for ports in (first, second):
            self.house.knock(ports)
        time.sleep(0.2)
        self.assert_shut()
        self.assertEqual(porter.ask("status").returncode in (0, 1), True)
        self.assertTrue(os.path.exists(path))

    def test_a_storm_of_knocks_does_not_start_endless_commands(self):
        """600 right knocks a second from made-up addresses, each with a command that takes its time."""
        slow = "[slow]\nsequence = 1111,2222,3333\ntcpflags = syn\ncommand = echo %IP% >> @WORK@/slow; sleep 3\n"
        porter = self.knockd(slow + DOOR.format("7453,1874,5759", "syn"))
        before, most = porter.memory(), 0
        storm = self.house.flood("attack", "--port", "1111,2222,3333", "--each", "--rate", 1800, "--seconds", 8, wait=False)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            most = max(most, children(porter.process.pid))
            time.sleep(0.1)
        self.house.knock((7453, 1874, 5759))
        self.assert_opens()  # whoever else wants in comes in, meanwhile
        sent = house.counted(storm)["sent"]
        knocked = porter.heard()["knocked"]
        run, grown = self.read("slow").count("\n"), porter.memory() - before
        print(f" ({sent // 3} knocks, {knocked} right; {run} commands begun, {most} at once; {grown:.1f} MB)", end="", flush=True)
        self.assertGreater(knocked, 3000)
        self.assertLessEqual(most, 4)
        self.assertLess(run, 20)
        self.assertLess(grown, 40)


def children(pid):
    """How many processes a process has begun that still run."""
    done = subprocess.run(["ps", "--no-headers", "-o", "stat", "--ppid", str(pid)], capture_output=True, text=True)
    return sum(not line.startswith("Z") for line in done.stdout.splitlines())


class Strict(house.HouseCase):
    """[import] knockd-strict: what the real program does, its ways included."""

    def both(self, ports, strict):
        """Knocks at a door in knockd's manner or in the ordinary one; whether it opens."""
        conf = self.write("knockd.conf", DOOR.format("7453,1874,5759", "syn"))
        text = f'[import]\nknockd = "{conf}"\nknockd-strict = {str(strict).lower()}\n'
        porter = self.doors(text)
        self.house.knock(ports)
        opened = fixture.await_true(lambda: self.house.reaches(CLIENT), 1.0)
        porter.stop()
        self.house.run(house.SERVER, "nft", "flush", "ruleset")
        for name in os.listdir(f"{self.work}/state"):
            os.remove(f"{self.work}/state/{name}")
        return opened

    def test_knockds_manner_and_ours(self):
        cases = (
            ("a right knock", (7453, 1874, 5759), True, True),
            ("another port in between", (7453, 1234, 1874, 5759), True, False),
            ("a port twice", (7453, 1874, 1874, 5759), False, True),
            ("begun again", (7453, 1874, 7453, 1874, 5759), False, True),
            ("wrong order", (5759, 1874, 7453), False, False),
        )
        for what, ports, strict, ours in cases:
            with self.subTest(what=what):
                self.assertEqual((self.both(ports, True), self.both(ports, False)), (strict, ours))
