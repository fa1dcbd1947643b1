#!/usr/bin/env python3
"""Doors where iptables keeps them, as on a machine without nftables: in its two forms.

    SERENO_BIN=/path/to/sereno doors_iptables.py [-v]          (root; tests/lab/setup doors has run)
"""

import doors_guarded
import doors_older
import doors_own
from house import unittest


class OwnByIptables(doors_own.Own):
    backend = "iptables"


class OwnByOldIptables(doors_own.Own):
    backend = "legacy"


class GuardedByIptables(doors_guarded.Guarded):
    backend = "iptables"


class OlderByIptables(doors_older.Older):
    backend = "iptables"


class OlderByOldIptables(doors_older.Older):
    backend = "legacy"


if __name__ == "__main__":
    unittest.main()
