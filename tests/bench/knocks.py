"""The measures of doors: how soon a knock opens, how exactly openings end, what a siege costs.

Each gives rows: (what, program, {figure: value}). They need root, and Debian's knockd, fwknop and iptables; the
network is that of the lab: a server, a client and a stranger, each in a namespace.
"""

import os
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time

import guards

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab"))
import doors_attacked as siege  # noqa: E402
import guard  # noqa: E402
import house  # noqa: E402
import net  # noqa: E402
from doors_beside import RULES  # noqa: E402
from doors_signed import Spa, seconds  # noqa: E402
from house import CLIENT, SERVER  # noqa: E402

SAMPLES, TRIES, SCANS = 200, 10, 240
KNOCK = (7453, 1874, 5759)
KNOCKD = """[options]
    interface = eth0
    logfile = @WORK@/knockd.log
[ssh]
    sequence = 7453,1874,5759
    seq_timeout = 10
    tcpflags = syn
    command = /sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
"""
FWKNOPD = """PCAP_INTF eth0;
PCAP_FILTER udp port 62201;
FWKNOP_RUN_DIR @WORK@/run;
DIGEST_FILE @WORK@/run/digest.cache;
FWKNOP_PID_FILE @WORK@/run/fwknopd.pid;
"""
# The live rules of fwknopd are listed into 4 kB: few at a time.
ACCESS = "SOURCE ANY\nOPEN_PORTS tcp/22\nKEY_BASE64 {}\nHMAC_KEY_BASE64 {}\nFW_ACCESS_TIMEOUT 4\n"


class Bench(Spa):
    """The lab's house, used without its tests."""

    def runTest(self):
        """There is none."""

    def __enter__(self):
        Bench.setUpClass()
        self.setUp()
        return self

    def __exit__(self, *_):
        self.doCleanups()
        Bench.doClassCleanups()

    def fresh(self):
        """A folder with nothing in it, a kernel without rules."""
        self.doCleanups()
        self.setUp()



class Peer:
    """A real daemon in the server's namespace."""

    def __init__(self, bench, *words):
        self.process = subprocess.Popen(bench.house.net.command(SERVER, "setpriv", "--pdeathsig", "KILL", *words),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        time.sleep(1.5)
        if self.process.poll() is not None:
            raise RuntimeError(f"{words[0]} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def firewall(bench):
    """The same closed firewall for all programs."""
    bench.house.run(SERVER, "iptables-restore", text=RULES.format("icmp"))


def syn(source, port):
    """A first packet of a connection, as the knock client sends it; the socket."""
    sock = socket.socket(net.family_of(source), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.bind((source, 0))
    sock.connect_ex((net.server_address(SERVER, net.family_of(source)), port))
    return sock


def opens(source, seconds=2.0):
    """The moment at which a connection to port 22 stands; one is tried every 0.2 ms or so. None if none does."""
    poll, tried, end = select.epoll(), {}, time.monotonic() + seconds
    try:
        while (now := time.monotonic()) < end:
            sock = syn(source, 22)
            tried[sock.fileno()] = sock
            poll.register(sock, select.EPOLLOUT)
            for fd, _ in poll.poll(0):  # what is answered is so at once
                if tried[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    return time.monotonic()
                poll.unregister(fd)
            time.sleep(0.0001)  # epoll itself waits for whole milliseconds
            if len(tried) > 400:
                gone = tried.pop(next(iter(tried)))
                gone.close()
        return None
    finally:
        for sock in tried.values():
            sock.close()
        poll.close()


def knocked(source, _packet):
    for port in KNOCK[:-1]:
        syn(source, port).close()
        time.sleep(0.01)
    begun = time.monotonic()
    syn(source, KNOCK[-1]).close()
    return begun


def packeted(source, packet):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        begun = time.monotonic()
        sock.sendto(packet, (net.server_address(SERVER), 62201))
    return begun


def soon(bench, program, say, packets, samples, renew=None):
    """From the last packet to a connection, each time from another address."""
    taken, missed = [], 0
    for n in range(samples):
        if renew and n % 20 == 0:
            renew()
        source = f"10.20.30.{n % 250 + 2}"
        packet = packets() if packets else None

        def go(source=source, packet=packet):
            begun = say(source, packet)
            return begun, opens(source)

        begun, stood = net.in_namespace(bench.house.net.name(CLIENT), go)
        missed += stood is None
        if stood:
            taken.append((stood - begun) * 1e3)
        time.sleep(0.02 + n * 0.037 % 0.1)  # not in step with whoever looks every so often
    taken.sort()
    return "last packet to the open port", program, {
        "median ms": statistics.median(taken), "p99 ms": taken[min(len(taken) - 1, int(len(taken) * 0.99))],
        "most ms": taken[-1], "samples": len(taken), "missed": missed}  # fmt: skip


def latency(bench, samples):
    conf = lambda: bench.write("knockd.conf", KNOCKD)
    firewall(bench)
    porter = bench.porter("--knockd", conf())
    yield soon(bench, "sereno, knock", knocked, None, samples)
    porter.stop()
    bench.fresh()
    if shutil.which("knockd"):
        firewall(bench)
        peer = Peer(bench, "knockd", "-c", conf())
        yield soon(bench, "knockd", knocked, None, samples, lambda: firewall(bench))
        peer.stop()
        bench.fresh()
    bench.keys()
    text = ACCESS.format(bench.key, bench.hmac)
    made = lambda: bench.fwknop("-D", "198.51.100.16")  # to nobody: it is sent later
    firewall(bench)
    porter = bench.porter("--fwknop", bench.write("access.conf", text))
    yield soon(bench, "sereno, packet", packeted, made, samples)
    porter.stop()
    bench.fresh()
    if shutil.which("fwknopd"):
        bench.keys()
        os.mkdir(f"{bench.work}/run")
        firewall(bench)
        access = bench.write("access.conf", ACCESS.format(bench.key, bench.hmac))
        peer = Peer(bench, "fwknopd", "-f", "-c", bench.write("fwknopd.conf", FWKNOPD), "-a", access)
        yield soon(bench, "fwknopd", packeted, made, samples)
        peer.stop()
        bench.fresh()


def ends(bench, count):
    """So many doors are opened at once, each by somebody else; which of them still pass packets around their end."""
    ports = random.Random(1).sample(range(10_000, 60_000), 3 * count)
    text = "".join(f'[door.d{n}]\nports = "tcp/{60_000 + n}"\nknock = {ports[3 * n : 3 * n + 3]}\nopen = "10s"\n' for n in range(count))
    begun = time.monotonic()
    porter = bench.doors(text)
    started = time.monotonic() - begun
    source = lambda n: f"2001:db8:900d::{n + 1:x}"

    def knock():
        for place in range(3):
            for n in range(count):
                syn(source(n), ports[3 * n + place]).close()

    inside = lambda work: net.in_namespace(bench.house.net.name(CLIENT), work)
    inside(knock)
    time.sleep(1)
    doors = porter.listed()[0]
    until = {}
    for n in range(count):
        for entry in doors[f"d{n}"]["entries"]:
            until[n] = seconds(entry["until"])
    tried = inside(lambda: passing(source, until))
    early = [offset for offset, passed in tried if not passed and offset < 0]
    late = [offset for offset, passed in tried if passed and offset > 0]
    yield f"{count:,} doors at once", "sereno", {
        "open": len(until), "started s": started, "probes": len(tried), "passed": sum(passed for _, passed in tried),
        "closed early ms": -1e3 * min(early, default=0.0), "open late ms": 1e3 * max(late, default=0.0),
        "last probe s": max(offset for offset, _ in tried)}  # fmt: skip
    porter.stop()
    bench.fresh()


def passing(source, until):
    """Probes each door around its end: (seconds from its end, whether it passed), of each probe.

    There is no listener, so that what passes is refused at once, and what does not is never answered.
    """
    offsets = (-0.25, -0.15, -0.05, -0.01, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3)
    plan = sorted((end + offset, n) for n, end in until.items() for offset in random.sample(offsets, 4))
    tried, waiting = [], []
    for moment, n in plan:
        time.sleep(max(0.0, moment - time.time()))
        sent = time.time()
        waiting.append((sent - until[n], syn(source(n), 60_000 + n)))
        if len(waiting) == 500:
            tried += settled(waiting)
            waiting.clear()
    time.sleep(0.05)
    return tried + settled(waiting)


def settled(waiting):
    """What became of probes."""
    found = []
    for offset, sock in waiting:
        found.append((offset, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111))  # ECONNREFUSED
        sock.close()
    return found


def memory(bench, packets, cap):
    """Made-up first hits: resident memory before and after."""
    porter = bench.doors(siege.conf(siege.FEW))
    time.sleep(0.5)
    before, sent, begun = porter.memory(), 0, time.monotonic()
    while sent < packets and time.monotonic() - begun < cap:
        left = min(20.0, cap - (time.monotonic() - begun))
        sent += bench.house.flood("attack", "--port", siege.KNOCK[0], "--seconds", max(1.0, left))["sent"]
    heard = porter.heard()
    yield "memory, made-up first hits", "sereno", {
        "MB before": before, "MB after": porter.memory(), "sent": sent, "seconds": time.monotonic() - begun,
        "heard": heard["packets"], "lost": heard["lost"], "cpu s": porter.cpu()}  # fmt: skip
    porter.stop()
    bench.fresh()


def scans(bench, count, cap):
    """Scans of all ports by one host, in any order; how many opened a door."""
    for what, names in (("sorted by the kernel", siege.FEW), ("all heard", tuple(siege.DOORS))):
        porter = bench.doors(siege.conf(names))
        done, sent, begun = 0, 0, time.monotonic()
        while done < count and time.monotonic() - begun < cap:
            told = siege.scan(bench, "--rounds", min(8, count - done), "--shuffle", rate=200_000)
            done, sent = done + told["rounds"], sent + told["sent"]
        time.sleep(0.5)
        listed, heard = porter.listed()
        yield f"scans of all ports, {what}", "sereno", {
            "scans": done, "doors opened": heard["knocked"], "inside": sum(len(door["entries"]) for door in listed.values()),
            "sent": sent, "per s": sent / (time.monotonic() - begun), "heard": heard["packets"], "lost": heard["lost"]}  # fmt: skip
        porter.stop()
        bench.fresh()


def floods(bench, tries):
    porter = bench.doors(siege.conf(siege.FEW) + siege.SIGNED.format(bench.keys()))
    for kinds, knock, door in (
        (siege.floods(), lambda: bench.house.knock(siege.KNOCK, delay=30), "mixed"),
        (siege.JUNK, bench.fwknop, "signed"),
    ):
        for what, words in kinds:
            came, figures = siege.under(bench, porter, words, knock, door, tries)
            yield f"flood: {what}", "sereno", {"let in": came, "of": tries} | figures
    porter.stop()


def knocks(quick):
    yield from housed(lambda bench: latency(bench, 20 if quick else SAMPLES))
    yield from housed(lambda bench: ends(bench, 100 if quick else 1000))
    yield from housed(lambda bench: memory(bench, 100_000 if quick else 10_000_000, 180))


def sieges(quick):
    yield from housed(lambda bench: floods(bench, 3 if quick else TRIES))
    yield from housed(lambda bench: scans(bench, 4 if quick else SCANS, 300))


def housed(measure):
    """A measure in a house of its own, where there can be one."""
    guard.BINARY = guards.Sereno.binary
    if why := house.why_not():
        print(f"skipped: {why}")
        return
    with Bench() as bench:
        yield from measure(bench)
