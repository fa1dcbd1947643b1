#!/usr/bin/env python3
"""Runs the lab's tests, one process for each class of them, several at a time: they mostly wait.

    SERENO_BIN=/path/to/sereno all.py [--together | --alone] [MODULE...]          (root; tests/lab/setup has run)

Every process has servers, network and folders of its own. What it says is shown whole when it ends; the exit
code is 1 when any test failed. Without names: the tests of the guard and of the client of doors. Some need the
processors for themselves and come last: `--together` leaves them out, `--alone` runs only them.
"""

import argparse
import os
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor, as_completed

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("e2e", "machine", "takeover", "knocking", "doors", "policy", "leaving", "imports", "lists", "floods", "proxies", "scans", "grammar")
AT_ONCE = 3
# What needs the processors for itself.
ALONE = ("doors.Floods", "floods.Floods", "proxies.Proxies", "scans.PortscanFloods", "scans.PortscanFloodsByIptables")
# Seconds after which a class hangs: many times what any takes.
PATIENCE = 900


def classes(modules):
    """The names of the classes with tests that modules would run: those with the most tests first."""
    counted = []
    for module in modules:
        for one in vars(__import__(module)).values():
            if isinstance(one, type) and issubclass(one, unittest.TestCase):
                count = len(unittest.defaultTestLoader.getTestCaseNames(one))
                counted += [(count, f"{module}.{one.__name__}")] if count else []
    return [name for _, name in sorted(counted, reverse=True)]


def run(name):
    """Runs one class: its exit code, and everything it said."""
    module, _, case = name.partition(".")
    # A process does not outlive this one.
    words = ["setpriv", "--pdeathsig", "TERM", sys.executable, f"{HERE}/{module}.py", "-v", case]
    begun = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()
            said = process.communicate()[0] + b"it hangs\n"
    verdict = "failed" if process.returncode else "ok"
    head = f"== {name}: {verdict} in {time.monotonic() - begun:.0f} s\n"
    return process.returncode, head + said.decode(errors="replace")


def main():
    parser = argparse.ArgumentParser(description="Runs the lab's tests.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--together", action="store_true", help="only those that mostly wait")
    which.add_argument("--alone", action="store_true", help="only those that need the processors for themselves")
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    asked = parser.parse_args()
    together, alone = [], []
    for name in classes(asked.modules or MODULES):
        (alone if name in ALONE else together).append(name)
    rounds = [(together, AT_ONCE)] * (not asked.alone) + [(alone, 1)] * (not asked.together)
    failed = []
    for some, at_once in rounds:
        with ThreadPoolExecutor(at_once) as pool:
            running = {pool.submit(run, name): name for name in some}
            for done in as_completed(running):
                code, said = done.result()
                print(said, flush=True)
                failed += [running[done]] if code else []
    print(f"{sum(len(some) for some, _ in rounds)} classes, failed: {', '.join(sorted(failed)) or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
