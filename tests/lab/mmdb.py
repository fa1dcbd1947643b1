"""Writes small databases in MaxMind's format (MaxMind DB File Format Specification 2.0), for tests.

A record for a network is a dictionary of texts, numbers and dictionaries. Addresses of version 4 lie below
::/96, as in the databases that are published.
"""

import ipaddress
import time

MARK = b"\xab\xcd\xefMaxMind.com"
GAP = 16


def encoded(value):
    """A value of the data section."""
    if isinstance(value, str):
        data = value.encode()
        return bytes([2 << 5 | len(data)]) + data if len(data) < 29 else bytes([2 << 5 | 29, len(data) - 29]) + data
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(encoded(key) + encoded(one) for key, one in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encoded, value))
    # A number: of 32 bits, or with its kind; 5 and 6 are 16 and 32 bits, 64 the extended kind 9.
    kind, number = value if isinstance(value, tuple) else (6, value)
    size = (number.bit_length() + 7) // 8
    head = bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
    return head + number.to_bytes(size, "big")


def write(path, kind, networks):
    """networks: network -> record."""
    nodes, data, places = [[None, None]], b"", {}
    for network, record in networks.items():
        network = ipaddress.ip_network(network)
        key = repr(record)
        if key not in places:
            places[key] = len(data)
            data += encoded(record)
        bits = int(network.network_address)
        length = network.prefixlen + (96 if network.version == 4 else 0)
        node = 0
        for at in range(length):
            side = bits >> (127 - at) & 1
            if at == length - 1:
                nodes[node][side] = ("data", places[key])
                break
            if not isinstance(nodes[node][side], int):
                nodes.append([None, None])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]

    def pointer(record):
        if record is None:
            return len(nodes)
        return record if isinstance(record, int) else len(nodes) + GAP + record[1]

    tree = b"".join(pointer(record).to_bytes(4, "big") for node in nodes for record in node)
    about = {
        "node_count": len(nodes), "record_size": (5, 32), "ip_version": (5, 6), "database_type": kind, "languages": ["en"],
        "binary_format_major_version": (5, 2), "binary_format_minor_version": (5, 0), "build_epoch": (9, int(time.time())),
        "description": {"en": "made for a test"},
    }  # fmt: skip
    with open(path, "wb") as out:
        out.write(tree + bytes(GAP) + data + MARK + encoded(about))
