"""Doors of Sereno's own configuration: knocks, traps, one-time sequences, secrets."""

import base64
import hashlib
import hmac
import re
import struct
import time

import fixture
import guard
import house
from house import BOTH, CLIENT, SERVER, STRANGER

KNOCK = (7311, 2904, 5127)
DOOR = """[door.ssh]
ports = "tcp/22"
knock = [7311, 2904, 5127]
"""
ADDRESS = {house.V4: "198.51.100.202", house.V6: "2001:db8:100::202"}


class Own(house.HouseCase):
    def wrong(self, ports, role=CLIENT, **more):
        """A knock that does not open."""
        self.house.knock(ports, role, **more)
        time.sleep(0.3)
        self.assert_shut(role)

    def test_a_knock_opens_for_its_time(self):
        porter = self.doors(DOOR + 'open = "3s"\n')
        for family in BOTH:
            with self.subTest(family=family.name):
                self.assert_shut(family=family)
                self.house.knock(KNOCK, family=family)
                begun = time.monotonic()
                self.assert_opens(family=family)
                self.assertEqual(porter.entries("ssh"), {ADDRESS[family]})
                self.assert_shut(STRANGER, family=family)
                with self.house.connect(CLIENT, family=family) as sock:
                    self.assert_shuts(family=family, seconds=5)
                    self.assertLess(time.monotonic() - begun, 4.5)
                    self.assertTrue(house.echoes(sock), "what was established has to go on")
                self.assertTrue(fixture.await_true(lambda: not porter.entries("ssh")))

    def test_cut(self):
        """With `cut`, connections end with the opening."""
        self.doors(DOOR + 'open = "2s"\ncut = true\n')
        self.house.knock(KNOCK)
        self.assert_opens()
        with self.house.connect(CLIENT) as sock:
            self.assertTrue(house.echoes(sock))
            self.assert_shuts(seconds=4)
            self.assertFalse(house.echoes(sock))

    def test_free(self):
        """Who is named needs no knock."""
        self.doors(DOOR + 'free = ["10.20.30.0/28", "2001:db8:900d::/64"]\n')
        self.assertTrue(self.house.reaches(CLIENT, source="10.20.30.5"))
        self.assertTrue(self.house.reaches(CLIENT, family=house.V6, source="2001:db8:900d::5"))
        self.assert_shut(CLIENT, source="10.20.30.25")
        self.assert_shut(CLIENT, family=house.V6)

    def test_within(self):
        self.doors(DOOR + 'within = "1s"\nopen = "2s"\n')
        self.wrong(KNOCK, delay=650)
        self.house.knock(KNOCK, delay=300)
        self.assert_opens()

    def test_a_trap_bars(self):
        """Who touches a trap is not let in for a while, however well he knocks."""
        porter = self.doors(DOOR + 'traps = [23, "udp/161"]\nbarred = "4s"\nopen = "2s"\n')
        for trap, udp in ((23, False), (161, True)):
            with self.subTest(trap=trap):
                self.house.knock([trap], udp=udp)
                touched = time.monotonic()
                self.wrong(KNOCK)
                self.assertEqual(porter.entries("ssh"), set())
                self.house.knock(KNOCK, STRANGER)  # whom it does not concern
                self.assert_opens(STRANGER)
                time.sleep(max(0.0, touched + 4.2 - time.monotonic()))
                self.house.knock(KNOCK)
                self.assert_opens()
                self.assert_shuts(seconds=4)

    def test_other_packets_spoil(self):
        porter = self.doors(DOOR)
        self.wrong((7311, 80, 2904, 5127))
        self.wrong((7311, 2904, 81, 5127))
        self.assertGreaterEqual(porter.heard()["spoiled"], 2)
        # Another protocol is something else, and so is another source.
        self.house.knock(("7311", "9999:udp", "2904", "5127"))
        self.assert_opens()

    def test_somebody_else_does_not_spoil(self):
        self.doors(DOOR)
        self.house.knock(KNOCK[:2])
        self.house.knock((7311, 1234), STRANGER)
        self.house.knock(KNOCK[2:])
        self.assert_opens()
        self.wrong(KNOCK[2:], STRANGER)

    def test_one_port_wants_quiet(self):
        """A door of a single port opens to who began nothing else, and to no scan."""
        self.doors('[door.ssh]\nports = "tcp/22"\nknock = [7311]\nwithin = "2s"\nopen = "2s"\n')
        self.wrong((7300, 7311))
        time.sleep(2.2)
        self.house.knock((7311,))
        self.assert_opens()

    def test_sequences_that_are_good_once(self):
        path = self.write("ssh.once", "7311,2904,5127\n6112,4873,9031\n")
        self.doors(f'[door.ssh]\nports = "tcp/22"\nonce = "{path}"\nopen = "1s"\n')
        for ports, left in ((KNOCK, "#311,2904,5127\n6112,4873,9031\n"), ((6112, 4873, 9031), "#311,2904,5127\n#112,4873,9031\n")):
            self.house.knock(ports)
            self.assert_opens()
            self.assertTrue(fixture.await_true(lambda: self.read("ssh.once") == left), self.read("ssh.once"))
            self.assert_shuts(seconds=3)
            self.wrong(ports)

    def test_no_sequence_is_skipped_or_damaged(self):
        """A used one is marked where it stands now, and after a reload or a restart the next one is in force."""
        lines = ["7311,2904,5127", "6112,4873,9031", "8000,3000,5000", "9100,4100,7100", "9000,3500,6000"]
        path = self.write("ssh.once", "\n".join(lines) + "\n")
        porter = self.doors(f'[door.ssh]\nports = "tcp/22"\nonce = "{path}"\nopen = "1s"\n')

        def rewrite():
            text = self.read("ssh.once").replace("8000,", "# mine\n8000,")
            self.write("ssh.once", text + "1111,2222,3333\n")

        def restart():
            porter.kill()
            porter.start()

        def nothing():
            pass

        for line, then in zip(lines, (lambda: porter.order("reload"), rewrite, restart, restart, nothing)):
            with self.subTest(line=line):
                self.house.knock(line.split(","))
                self.assert_opens()
                self.assertTrue(fixture.await_true(lambda: f"\n#{line[1:]}\n" in "\n" + self.read("ssh.once")), self.read("ssh.once"))
                self.assert_shuts(seconds=3)
                self.wrong(line.split(","))
                then()
        left = [line for line in self.read("ssh.once").splitlines() if not line.startswith("#")]
        self.assertEqual(left, ["1111,2222,3333"])

    def test_a_command_and_its_end(self):
        self.doors(
            f'[door.light]\nknock = [7311, 2904, 5127]\ncommand = "echo on %IP% >> {self.work}/light"\n'
            f'end-command = "echo off %IP% >> {self.work}/light"\nopen = "1s"\n'
        )
        self.house.knock(KNOCK)
        want = "on 198.51.100.202\noff 198.51.100.202\n"
        self.assertTrue(fixture.await_true(lambda: self.read("light") == want), self.read("light"))


def timed(secret, window, length=4, first=20_000, last=60_999):
    """The ports of a window, by the scheme of crates/sereno-core/src/door/timed.rs, written anew."""
    ports, block = [], 0
    while len(ports) < length:
        text = b"sereno knock 1" + struct.pack(">QI", window, block)
        for number in struct.unpack(">16H", hmac.new(secret, text, hashlib.sha256).digest()):
            port = first + number * (last - first + 1) // 65536
            if port not in ports:
                ports.append(port)
        block += 1
    return ports[:length]


class Secret(house.HouseCase):
    """Knocks that change with the time."""

    STEP = 10

    def setUp(self):
        super().setUp()
        folder = f"{self.work}/keys"
        said = self.house.run(SERVER, guard.BINARY, "door", "keygen", "ssh", "--knock", "--into", folder)
        told = re.search(r'^secret = "([A-Za-z0-9+/=]+)"$', said, re.M)
        with open(f"{folder}/ssh.secret", encoding="ascii") as text:
            self.assertEqual(text.read().strip(), told[1])
        self.secret = base64.b64decode(told[1])
        self.conf = f'[door.ssh]\nports = "tcp/22"\nsecret = "{folder}/ssh.secret"\nstep = "{self.STEP}s"\nopen = "2s"\n'
        self.porter = self.doors(self.conf)

    def window(self, room=4.0):
        """The number of the window, when so many seconds are left of it."""
        left = self.STEP - time.time() % self.STEP
        time.sleep(left + 0.1 if left < room else 0)
        return int(time.time()) // self.STEP

    def wrong(self, window):
        self.house.knock(timed(self.secret, window))
        time.sleep(0.3)
        self.assert_shut()

    def test_each_window_is_good_once(self):
        now = self.window(8.0)
        self.house.knock(timed(self.secret, now))
        self.assert_opens()
        self.assert_shut(STRANGER)
        self.assert_shuts(seconds=4)
        self.wrong(now)  # it was used
        self.house.knock(timed(self.secret, now), STRANGER)
        time.sleep(0.3)
        self.assert_shut(STRANGER)
        following = self.window(self.STEP)
        self.assertGreater(following, now)
        self.house.knock(timed(self.secret, following), family=house.V6)
        self.assert_opens(family=house.V6)

    def test_clocks_may_differ_by_a_window(self):
        now = self.window()
        self.wrong(now - 2)
        self.wrong(now + 2)
        now = self.window()
        self.house.knock(timed(self.secret, now - 1))
        self.assert_opens()

    def test_another_secret_opens_nothing(self):
        self.house.knock(timed(self.secret[:-1] + b"?", self.window()))
        time.sleep(0.3)
        self.assert_shut()

    def test_a_used_window_stays_used_after_a_kill(self):
        now = self.window(9.0)
        self.house.knock(timed(self.secret, now))
        self.assert_opens()
        time.sleep(0.3)
        self.porter.kill()
        self.porter.start()
        self.assert_shuts(seconds=4)
        self.assertEqual(int(time.time()) // self.STEP, now, "the machine is too slow for this test")
        self.wrong(now)
