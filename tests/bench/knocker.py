"""Sends the time to 10.9.0.1 from a given address, thousands of times a second, until it is ended."""

import socket
import struct
import sys
import time

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind((sys.argv[1], 0))
while True:
    sender.sendto(struct.pack("=d", time.monotonic()), ("10.9.0.1", 9999))
    time.sleep(0.0001)
