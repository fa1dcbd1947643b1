"""Doors under attack: scans open none, and floods keep nobody out."""

import os
import time

import fixture
import house
from doors_signed import Spa
from house import CLIENT, STRANGER

SCANNER = "198.51.100.201"
KNOCK = (17341, 52877, 30429)
# Doors that a scan might meet: three ports in no order, upwards, downwards, neighbours, one port, and over UDP.
DOORS = {
    "mixed": "[17341, 52877, 30429]",
    "up": "[7000, 8000, 9000]",
    "down": "[9100, 8100, 7100]",
    "near": "[4001, 4002, 4003]",
    "two": "[21874, 5759]",
    "lone": "[33333]",
    "udp": '["udp/6071", "udp/5311", "udp/6402"]',
}
# Other doors than those that listen for everything: a knock has to be heard through the gate's first sorting alone.
FEW = ("mixed", "up", "down", "two", "udp")
SIGNED = '[door.signed]\nports = "tcp/22"\nspa = "{}"\n'


def conf(names):
    return "".join(f'[door.{name}]\nports = "tcp/22"\nknock = {DOORS[name]}\n' for name in names)


def honest(case, porter, knock, door, tries):
    """How many of so many honest knocks let the client in, each within a second."""
    came = 0
    for _ in range(tries):
        knock()
        came += fixture.await_true(lambda: case.house.reaches(CLIENT), 1.0, 0.02)
        porter.ask("door", "close", door, "198.51.100.202")
        # Whatever became of it, the next one begins anew.
        fixture.await_true(lambda: not case.house.reaches(CLIENT), 1.0, 0.02)
    return came


def under(case, porter, flood, knock, door="mixed", tries=10):
    """Honest knocks while a flood goes on: (let in, figures of it)."""
    before, heard = porter.cpu(), porter.heard()
    process = case.house.flood(STRANGER, *flood, "--seconds", 600, wait=False)
    begun = time.monotonic()
    time.sleep(1)
    try:
        came = honest(case, porter, knock, door, tries)
        time.sleep(max(0.0, begun + 3 - time.monotonic()))
        span, used, now = time.monotonic() - begun, porter.cpu() - before, porter.heard()
    finally:
        process.send_signal(2)  # it says what it sent
        sent = house.counted(process)
    figures = {"rate": sent["rate"], "heard": now["packets"] - heard["packets"], "lost": now["lost"] - heard["lost"],
               "cpu %": 100 * used / span, "MB": porter.memory()}  # fmt: skip
    return came, figures


def floods():
    """The floods a door has to stand: what, and the words for flood.py."""
    return (
        ("random ports, 100,000/s, made-up sources", ("--port", "random", "--rate", 100_000)),
        # Who met a knock port once is heard whatever he begins.
        ("all ports, 100,000/s, one source", ("--port", "all", "--rate", 100_000, "--source", SCANNER)),
        ("first port, 100,000/s, made-up sources", ("--port", KNOCK[0], "--rate", 100_000)),
        ("first port, 20/s, another host", ("--port", KNOCK[0], "--rate", 20, "--source", SCANNER)),
        ("first port, 20/s, in the client's name", ("--port", KNOCK[0], "--rate", 20, "--source", "198.51.100.202")),
    )


JUNK = (
    ("junk to the port of packets, 5,000/s, made-up sources", ("--port", 62201, "--udp", 204, "--rate", 5000)),
    ("junk to the port of packets, 5,000/s, one source", ("--port", 62201, "--udp", 204, "--rate", 5000, "--source", SCANNER)),
)


def told(what, came, tries, figures):
    text = ", ".join(f"{name} {value:,.0f}" for name, value in figures.items())
    print(f"\n   {what}: {came} of {tries}; {text}", end="", flush=True)


def scan(case, *words, rate=50_000):
    """All ports from one host."""
    return case.house.flood(STRANGER, "--port", "all", "--source", SCANNER, "--rate", rate, *words)


class Scans(house.HouseCase):
    SCANS = 8

    def opens_nothing(self, porter, *words):
        before = porter.heard()
        sent = scan(self, *words)
        time.sleep(0.2)
        now, (listed, _) = porter.heard(), porter.listed()
        self.assertGreater(now["packets"], before["packets"], "nothing was heard of it")
        self.assertEqual(now["knocked"], 0)
        self.assertEqual([door for door in listed if listed[door]["entries"]], [])
        print(f" ({sent['sent']:,} sent, {now['packets'] - before['packets']:,} heard, {now['lost'] - before['lost']:,} lost)",
              end="", flush=True)  # fmt: skip

    def every(self, names):
        porter = self.doors(conf(names))
        self.opens_nothing(porter, "--rounds", 1)
        self.opens_nothing(porter, "--rounds", self.SCANS, "--shuffle")
        # The doors do open.
        self.house.knock(KNOCK)
        self.assert_opens()

    def test_doors_that_are_sorted_by_the_kernel(self):
        self.every(FEW)

    def test_doors_that_want_everything_heard(self):
        self.every(DOORS)

    def test_datagrams(self):
        porter = self.doors(conf(FEW))
        self.opens_nothing(porter, "--rounds", 2, "--shuffle", "--udp", 0)
        self.house.knock((6071, 5311, 6402), udp=True)
        self.assert_opens()

    def test_nmap(self):
        """The real scanner, over a fair part of the ports, those of the doors among them."""
        # A scan that ends at a door's only port, or rests there, has knocked.
        porter = self.doors(conf(name for name in DOORS if name != "lone"))
        ports = ",".join(map(str, sorted({*KNOCK, 7000, 8000, 9000, 9100, 8100, 7100, 21874, 5759, 33333, *range(4000, 4600)})))
        for kind in ("-sS", "-sT"):
            for order in ((), ("-r",)):
                self.house.run(STRANGER, "nmap", "-n", "-Pn", kind, *order, "-T4", "--max-retries", "0", "-p", ports, "198.51.100.24")
        self.assertGreater(porter.heard()["packets"], 1000)
        self.assertEqual(porter.heard()["knocked"], 0)
        self.assert_shut(STRANGER)


class Floods(Spa):
    TRIES = 5

    def setUp(self):
        super().setUp()
        self.porter = self.doors(conf(FEW) + SIGNED.format(self.keys()))

    def stands(self, what, words, knock, door):
        came, figures = under(self, self.porter, words, knock, door, self.TRIES)
        told(what, came, self.TRIES, figures)
        self.assertEqual(came, self.TRIES, what)
        self.assertGreater(figures["rate"], 10)

    def test_knocks(self):
        for what, words in floods():
            with self.subTest(flood=what):
                self.stands(what, words, lambda: self.house.knock(KNOCK, delay=30), "mixed")

    def test_packets(self):
        for what, words in JUNK:
            with self.subTest(flood=what):
                self.stands(what, words, self.fwknop, "signed")
        self.assertGreater(sum(self.porter.refused().values()), 1000)

    def test_memory_is_bounded(self):
        """What made-up sources leave behind has its place already."""
        self.house.flood(STRANGER, "--port", 17341, "--seconds", 1)
        before = self.porter.memory()
        sent = self.house.flood(STRANGER, "--port", 17341, "--seconds", float(os.environ.get("SERENO_LAB_FLOOD", "6")))
        grown = self.porter.memory() - before
        print(f" ({sent['sent']:,} sources, {before:.1f} MB and {grown:+.1f})", end="", flush=True)
        self.assertLess(grown, 20)
