"""Who was at work on a port before Sereno came and closed it. Nothing tracked his connection until then."""

import house
from house import CLIENT, SERVER, STRANGER

DOOR = '[door.ssh]\nports = "tcp/22"\nknock = [7311, 2904, 5127]\nopen = "60s"\n'
# Whether something in the middle of a connection that is not known may be taken for one; the kernel's name.
LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"


class Older(house.HouseCase):
    def at_work(self):
        """A connection in each family, on which both have spoken."""
        socks = [self.house.connect(CLIENT, family=family) for family in house.BOTH]
        for sock in socks:
            self.addCleanup(sock.close)
            self.assertTrue(house.echoes(sock))
        return socks

    def loose(self, value):
        self.house.run(SERVER, "sh", "-c", f"echo {value} >{LOOSE}")

    def test_he_stays_when_he_is_the_first_to_speak(self):
        for loose in (1, 0):
            with self.subTest(loose=loose):
                self.loose(loose)
                self.addCleanup(self.loose, 1)
                socks = self.at_work()
                porter = self.doors(DOOR)
                for family in house.BOTH:
                    self.assert_shut(CLIENT, family=family)
                self.assertEqual([house.echoes(sock) for sock in socks], [True, True])
                porter.order("reload")
                self.assertEqual([house.echoes(sock) for sock in socks], [True, True])
                porter.kill()
                porter.start()
                self.assertEqual([house.echoes(sock) for sock in socks], [True, True])
                self.assert_shut(STRANGER)
                porter.stop()
                self.flush()

    def test_he_stays_on_trial(self):
        """`door guard` closes later: the connection was not closed to, but older than the table all the same."""
        socks = self.at_work()
        porter = self.doors(DOOR + "closed = false\n")
        self.assertTrue(self.house.reaches(STRANGER))
        self.house.knock((7311, 2904, 5127))
        porter.order("door", "guard", "ssh", "--console")
        self.assert_shut(STRANGER)
        self.assertEqual([house.echoes(sock) for sock in socks], [True, True])

    def test_a_door_that_cuts_cuts_him_too(self):
        socks = self.at_work()
        self.doors(DOOR + "cut = true\n")
        self.assertEqual([house.echoes(sock) for sock in socks], [False, False])


if __name__ == "__main__":
    house.unittest.main()
