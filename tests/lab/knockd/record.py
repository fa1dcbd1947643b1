#!/usr/bin/env python3
"""Asks the real knockd: record.py [OUTPUT [CASE...]]

Runs every case of cases.py against the knockd of Debian (0.8) in two network namespaces of its own,
joined by a veth pair, and writes down which packets arrived when, what its log said and which
commands it ran. Wants root, iproute2 and knockd. The default output is tests/data/knockd/cases.json."""

import ctypes
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

from cases import CASES

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from packet import checksum  # noqa: E402

OUTPUT = HERE.parent.parent / "data/knockd/cases.json"
SERVER, CLIENT = f"knockd-s{os.getpid()}", f"knockd-c{os.getpid()}"
MAC = {"s": bytes.fromhex("02000000aa01"), "c": bytes.fromhex("02000000aa02")}
CLIENTS = [2, 3, 4, 5]
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
NETNS = 0x40000000
STAMPS = getattr(socket, "SO_TIMESTAMPNS", 35)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def enter(name):
    """Puts this process into a network namespace; sockets stay where they were made."""
    with open(f"/run/netns/{name}") as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), NETNS) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def ground():
    """Two namespaces, joined."""
    for name in (SERVER, CLIENT):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", SERVER, "link", "add", "ks0", "address", MAC["s"].hex(":"), "type", "veth",
       "peer", "name", "kc0", "address", MAC["c"].hex(":"), "netns", CLIENT)
    for name, link, hosts in ((SERVER, "ks0", [1]), (CLIENT, "kc0", CLIENTS)):
        ip("-n", name, "link", "set", link, "up")
        for host in hosts:
            ip("-n", name, "addr", "add", f"192.0.2.{host}/24", "dev", link)
            ip("-n", name, "addr", "add", f"2001:db8::{host}/64", "dev", link, "nodad")


def frame(source, destination, proto, sport, dport, flags):
    """An Ethernet frame with one packet in it."""
    six = ":" in source
    family = socket.AF_INET6 if six else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    number = 6 if proto == "tcp" else 17
    if proto == "tcp":
        bits = sum(FLAGS[flag] for flag in flags)
        segment = struct.pack(">HHIIBBHHH", sport, dport, 1, 0, 0x50, bits, 1024, 0, 0)
    else:
        segment = struct.pack(">HHHH", sport, dport, 9, 0) + b"\0"
    summed = checksum(ends + struct.pack(">HH", number, len(segment)) + segment)
    place = 16 if proto == "tcp" else 6
    segment = segment[:place] + struct.pack(">H", summed) + segment[place + 2:]
    if six:
        head = struct.pack(">IHBB", 6 << 28, len(segment), number, 64) + ends
    else:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, number, 0) + ends
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return MAC["s"] + MAC["c"] + struct.pack(">H", 0x86DD if six else 0x0800) + head + segment


def read(data):
    """What a frame is, or None."""
    kind, = struct.unpack(">H", data[12:14])
    if kind == 0x0800:
        size, number = (data[14] & 15) * 4, data[23]
        source, destination = (socket.inet_ntoa(data[at:at + 4]) for at in (26, 30))
    elif kind == 0x86DD:
        size, number = 40, data[20]
        source, destination = (socket.inet_ntop(socket.AF_INET6, data[at:at + 16]) for at in (22, 38))
    else:
        return None
    segment = data[14 + size:]
    if number not in (6, 17):
        return None
    sport, dport = struct.unpack(">HH", segment[:4])
    packet = {"src": source, "dst": destination, "proto": "tcp" if number == 6 else "udp", "sport": sport, "dport": dport}
    if number == 6:
        packet["flags"] = "".join(name for name, bit in FLAGS.items() if segment[13] & bit)
    return packet


class Wire:
    """Sends on the client's end, hears on the server's."""

    def __init__(self):
        enter(CLIENT)
        self.out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.out.bind(("kc0", 0))
        enter(SERVER)
        self.ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.ear.bind(("ks0", 3))
        self.ear.setsockopt(socket.SOL_SOCKET, STAMPS, 1)
        self.ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.ear.setblocking(False)
        self.sport = 40000

    def heard(self):
        """Packets that arrived, with the kernel's time in microseconds."""
        packets = []
        while True:
            try:
                data, notes, _, place = self.ear.recvmsg(2048, 64)
            except BlockingIOError:
                return packets
            if place[2] == socket.PACKET_OUTGOING or (packet := read(data)) is None:
                continue
            seconds, nanos = next(struct.unpack("qq", value) for _, kind, value in notes if kind == STAMPS)
            packets.append({"t": seconds * 1_000_000 + nanos // 1000, **packet})

    def send(self, source, port, proto, flags, destination):
        self.sport += 1
        self.out.send(frame(source, destination, proto, self.sport, port, flags))


def address(word):
    return f"192.0.2.{word[1:]}" if word[0] == "c" else f"2001:db8::{word[1:]}"


def hit(wire, word):
    """c2:7000, v2:7000/udp, c2:7000/SA, c2:7000>192.0.2.9"""
    who, port, how, where = re.fullmatch(r"(\w+):(\d+)(?:/(\w*))?(?:>(\S+))?", word).groups()
    proto = "udp" if how == "udp" else "tcp"
    flags = "" if how == "none" or proto == "udp" else how or "S"
    wire.send(address(who), int(port), proto, flags, where or address(who[0] + "1"))


def align(to):
    """Waits for a part of a second."""
    time.sleep((to - time.time()) % 1)


def step(wire, word, daemon):
    kind, _, rest = word.partition("=")
    if word[0] == "~":
        time.sleep(float(word[1:]))
    elif word[0] == "@":
        align(float(word[1:]))
    elif kind == "knock":
        subprocess.run(["ip", "netns", "exec", CLIENT, "knock", *rest.split(",")], check=True)
    elif kind == "listen":
        # With a full answer and nothing read: the connection stands.
        listener = socket.create_server(("192.0.2.1", int(rest)))
        daemon.listeners.append(listener)
    elif kind == "connect":
        port = rest
        code = f"import socket; s = socket.create_connection(('192.0.2.1', {port})); s.close()"
        subprocess.run(["ip", "netns", "exec", CLIENT, "python3", "-c", code], check=True)
    elif kind == "scan":
        who, first, last = rest.split(",")
        ports = range(int(first), int(last) + 1) if int(first) < int(last) else range(int(first), int(last) - 1, -1)
        for count, port in enumerate(ports):
            wire.send(address(who), port, "tcp", "S", address(who[0] + "1"))
            if count % 50 == 49:
                time.sleep(0.005)
    else:
        hit(wire, word)


def packed(packets):
    """Runs of ports that follow each other, as one: the first and the last of them."""
    runs = []
    for packet in packets:
        last = runs[-1] if runs else None
        alike = last and all(last[key] == packet.get(key) for key in ("src", "dst", "proto", "flags") if key in last)
        by = packet["dport"] - last.get("to", last["dport"]) if alike else 0
        if alike and by in (1, -1) and last.get("by", by) == by:
            last.update(to=packet["dport"], until=packet["t"], by=by)
        else:
            runs.append(dict(packet))
    short = []
    for run in runs:
        by = run.pop("by", 1)
        if "to" in run and abs(run["to"] - run["dport"]) < 20:
            ports = range(run["dport"], run["to"] + by, by)
            times = [run["t"] + (run["until"] - run["t"]) * at // (len(ports) - 1) for at in range(len(ports))]
            whole = [packet for packet in packets if run["t"] <= packet["t"] <= run["until"]]
            short += whole if len(whole) == len(ports) else [
                {**{k: v for k, v in run.items() if k not in ("to", "until")}, "t": t, "dport": p} for t, p in zip(times, ports)]
        else:
            short.append(run)
    return short


class Daemon:
    def __init__(self, folder, case):
        self.folder, self.listeners = folder, []
        (folder / "ots").write_text(case.get("ots", ""))
        words = {"LOG": folder / "log", "OUT": folder / "out", "OTS": folder / "ots"}
        config = re.sub(r"\{([A-Z]+)\}", lambda found: str(words[found[1]]), case["config"])
        (folder / "knockd.conf").write_text(config)
        self.child = subprocess.Popen(["knockd", "-i", "ks0", "-c", str(folder / "knockd.conf")], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def log(self):
        path = self.folder / "log"
        return [re.sub(r"^\[[^]]*\] ", "", line) for line in path.read_text(errors="replace").splitlines()] if path.exists() else []

    def ready(self):
        """Whether it listens; the log is written a moment before that."""
        for _ in range(60):
            if self.child.poll() is not None:
                return False
            if any("starting up" in line for line in self.log()):
                time.sleep(0.12)
                return True
            time.sleep(0.02)
        time.sleep(0.1)
        return self.child.poll() is None


def run(wire, case, folder):
    daemon = Daemon(folder, case)
    result = {"id": case["id"], "config": case["config"]}
    if "ots" in case:
        result["ots"] = case["ots"]
    up = daemon.ready()
    wire.heard()
    if up:
        for word in case.get("steps", "").split():
            step(wire, word, daemon)
        time.sleep(0.2)
        packets = packed(wire.heard())
        # Whole seconds count, so the part of the second is kept.
        base = packets[0]["t"] // 1_000_000 * 1_000_000 - 100_000_000 if packets else 0
        for packet in packets:
            packet["t"] -= base
            if "until" in packet:
                packet["until"] -= base
        result["packets"] = packets
        result["end"] = int(time.time() * 1_000_000) - base
    crashed = daemon.child.poll()
    if crashed is None:
        daemon.child.terminate()
    _, said = daemon.child.communicate(timeout=20)
    for listener in daemon.listeners:
        listener.close()
    result["starts"] = up
    result["crashed"] = up and crashed is not None
    if not up:
        result["said"] = [line.replace(str(folder), "") for line in said.splitlines()]
    wanted = re.compile(r"^\S+: .*: (Stage \d+|OPEN SESAME|sequence timeout .*)$")
    result["log"] = [line for line in daemon.log() if wanted.match(line)]
    out = folder / "out"
    result["ran"] = out.read_text().splitlines() if out.exists() else []
    if "ots" in case:
        result["ots_after"] = (folder / "ots").read_text()
    return result


def main():
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    chosen = [case for case in CASES if not sys.argv[2:] or case["id"] in sys.argv[2:]]
    ground()
    try:
        wire, results = Wire(), []
        for case in chosen:
            with tempfile.TemporaryDirectory(prefix="knockd-") as folder:
                results.append(run(wire, case, pathlib.Path(folder)))
            last = results[-1]
            print(last["id"], "starts" if last["starts"] else last["said"][:1], last["ran"], last["log"], flush=True)
    finally:
        for name in (SERVER, CLIENT):
            subprocess.run(["ip", "netns", "del", name])
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(result) for result in results)
    output.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
