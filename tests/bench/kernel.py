"""Hears from the kernel when an element enters a set, without asking: the notices of nf_tables over netlink."""

import re
import socket
import struct
import threading
import time

NETLINK_NETFILTER, NFNLGRP_NFTABLES = 12, 7  # linux/netlink.h, linux/netfilter/nfnetlink.h
NEWSETELEM = 10 << 8 | 12  # NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSETELEM
SO_RCVBUFFORCE = 33
ROOM = 1 << 28
KEY4 = re.compile(rb"\x08\x00\x01\x00(.{4})", re.DOTALL)  # NFTA_DATA_VALUE of four bytes


def keys(data):
    """The IPv4 keys of the elements added by the messages of one datagram."""
    found, at = [], 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == NEWSETELEM:
            found += KEY4.findall(data, at + 20, at + length)
        at += max(16, length + 3 & ~3)
    return found


class Ear:
    """Listens in the network namespace of the thread that makes it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self.socket.bind((0, 1 << NFNLGRP_NFTABLES - 1))

    def drain(self):
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass

    def wait_for(self, addr, patience):
        """The monotonic time at which the address was heard of, or None."""
        wanted, end = socket.inet_aton(addr), time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 20)
            except TimeoutError:
                break
            heard = time.monotonic()
            if wanted in keys(data):
                return heard
        return None

    def close(self):
        self.socket.close()


class Counter:
    """Counts distinct new addresses in the background. Datagrams are only stored on arrival, and read at the end."""

    def __init__(self):
        self.ear, self.heard, self.on = Ear(), [], True
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        self.ear.socket.settimeout(0.2)
        while self.on:
            try:
                data = self.ear.socket.recv(1 << 20)
            except TimeoutError:
                continue
            except OSError:  # the kernel had more to say than room: the count will tell
                continue
            self.heard.append((time.monotonic(), data))

    def finish(self):
        """[(monotonic time, how many distinct addresses so far)], and {address: time}."""
        self.on = False
        self.thread.join()
        self.ear.close()
        first, curve = {}, []
        for moment, data in self.heard:
            for key in keys(data):
                first.setdefault(socket.inet_ntoa(key), moment)
            curve.append((moment, len(first)))
        return curve, first

