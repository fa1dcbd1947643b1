"""Doors that an administrator closed with `sereno door guard` and `confirm`, and what he does afterwards."""

import os
import time

import fixture
import guard
import house
from house import CLIENT, SERVER, STRANGER

KNOCK = (7311, 2904, 5127)
OPEN = '[door.ssh]\nports = "tcp/22"\nknock = [7311, 2904, 5127]\nopen = "2s"\nclosed = false\n'


class Guarded(house.HouseCase):
    def guarded(self, text=OPEN, name="ssh"):
        """A door that is closed on trial."""
        porter = self.doors(text)
        self.assertTrue(self.house.reaches(STRANGER), "nobody has closed it yet")
        self.house.knock(KNOCK)
        self.assertTrue(fixture.await_true(lambda: porter.entries(name)))
        porter.order("door", "guard", name, "--console")
        self.assert_shut(STRANGER)
        return porter

    def test_a_confirmed_door_stays_closed(self):
        """Over a reload, a restart and the end of a process."""
        porter = self.guarded()
        porter.order("door", "confirm", "ssh")
        porter.order("reload")
        self.assert_shut(STRANGER)
        for end in (porter.stop, porter.kill):
            end()
            porter.start()
            with self.subTest(end=end.__name__):
                self.assert_shut(STRANGER)
                porter.order("reload")
                self.assert_shut(STRANGER)
                self.house.knock(KNOCK)
                self.assert_opens(CLIENT)
        porter.order("door", "confirm", "ssh", "--open")
        self.assertTrue(self.house.reaches(STRANGER))
        porter.order("reload")
        self.assertTrue(self.house.reaches(STRANGER))


    def test_a_door_that_nobody_reads_is_not_made(self):
        """It was started with a file of its own: what lies in a folder is none of its business."""
        porter = self.doors(OPEN)
        made = porter.ask("door", "guard", "web", "--console", "--into", self.work)
        self.assertEqual(made.returncode, 1, made.stdout)
        self.assertIn("is not read", made.stderr)
        self.assertFalse(os.path.exists(f"{self.work}/door-web.toml"))
        self.assertNotIn("web", porter.listed()[0])


class Apart(house.Porter):
    """A Sereno that does not see where the others say what they hold, as in a container."""

    def command(self, *words):
        apart = 'mount -t tmpfs none /run && exec "$@"'
        return self.net.command(self.role, "unshare", "-m", "sh", "-c", apart, "sh", guard.BINARY, "--socket", self.socket, *words)


class Rivals(house.HouseCase):
    def rival(self, kind):
        other = f"{self.work}/other"
        os.mkdir(other)
        rival = kind(self.house, other, "--config", self.write("other.toml", OPEN.replace("false", "true")))
        self.addCleanup(rival.stop)
        return rival

    def test_a_table_has_one_sereno(self):
        first = self.doors(OPEN)
        rival = self.rival(house.Porter)
        with self.assertRaisesRegex(AssertionError, f"process {first.process.pid}.* guards with the table inet sereno"):
            rival.start()
        first.kill()
        rival.start()
        self.assert_shut()

    def test_two_who_hold_the_same_table_have_time_for_other_things(self):
        first = self.doors(OPEN)
        rival = self.rival(Apart)
        rival.start()
        for program in (first, rival):
            program.order("reload")
        before, begun = first.cpu() + rival.cpu(), time.monotonic()
        time.sleep(3)
        spent = (first.cpu() + rival.cpu() - before) / (time.monotonic() - begun)
        self.assertLess(spent, 0.5, "they do nothing but to put back what the other one did")
        for program in (first, rival):
            program.order("door", "list")
            program.stop()
