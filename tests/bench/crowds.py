"""The measures of many: bans in a row, bans restored, memory. Each gives rows: (what, program, {figure: value})."""

import json
import os
import subprocess
import time

import guards
import kernel
import logs
from measure import flush

OTHER = '[jail.other]\nrule = "sshd"\nlogpath = ["{}"]\nports = "tcp/2222"\n'
BYSTANDER = "46.1.2.3"


def three_each(count):
    """Three failing lines of each of so many attackers."""
    now, rows = time.time(), []
    for n in range(1, count + 1):
        rows += [logs.sshd_line(logs.spread(n), now, 3 * n + k) for k in range(3)]
    return "".join(rows).encode()


def burst(guard, count, patience, other=None):
    """Writes so many attackers at once, and soon after one more to another log; waits until all is done."""
    data, counter = three_each(count), kernel.Counter()
    wanted, before, start = {logs.spread(n) for n in range(1, count + 1)}, guard.cpu(), time.monotonic()
    with open(guard.log, "ab", buffering=0) as log:
        log.write(data)
    if other:
        time.sleep(max(0.0, start + 0.02 - time.monotonic()))
        rows = "".join(logs.sshd_line(BYSTANDER, time.time(), 9_000_000 + k) for k in range(3))
        aside = time.monotonic()
        with open(other, "a", encoding="ascii") as log:
            log.write(rows)
    guard.busy_until(before, patience)
    time.sleep(0.5)
    cpu, (_, heard) = guard.cpu() - before, counter.finish()
    times = sorted(moment for addr, moment in heard.items() if addr in wanted)
    row = {"banned": len(times), "first s": times[0] - start, "last s": times[-1] - start, "cpu s": cpu}
    if other and BYSTANDER in heard:
        row["meanwhile, another log ms"] = (heard[BYSTANDER] - aside) * 1e3
    now, most = guard.memory()
    return row | {"RSS MB": now, "peak MB": most}


def bans(work, count, peers):
    for peer in peers:
        flush()
        many = count if peer is not guards.Fail2ban else min(count, 1000)
        other = f"{work}/other.log" if peer is guards.Sereno else None
        if other:
            open(other, "w", encoding="ascii").close()
        guard = peer(work, 3, OTHER.format(other) if other else "")
        guard.start()
        yield f"{many:,} bans in a row", guard.name, burst(guard, many, 90, other)
        guard.stop()


def restore(work, count, peers):
    for peer in peers:
        flush()
        many = count if peer is guards.Sereno else min(count, 10_000)
        guard = peer(work)
        guard.start()
        row = burst(guard, many, 300)
        yield f"{many:,} bans in a row", guard.name, row
        guard.stop()
        flush()
        time.sleep(2)  # the kernel frees what was flushed in the background, and after a boot there is nothing to free
        # Nobody listens: while anybody does, the kernel tells of every element, at twice the price.
        counter = kernel.Counter() if peer is not guards.Sereno else None
        start = time.monotonic()
        guard.start()
        done = answers = time.monotonic() - start
        if counter:
            guards.Guard.busy_until(guard, 0, 90)
            curve, _ = counter.finish()
            done = next((moment - start for moment, heard in curve if heard >= row["banned"]), float("nan"))
        cpu, (now, most) = guard.cpu(), guard.memory()
        yield f"restore of {row['banned']:,} bans", guard.name, {
            "all in force s": done, "answers s": answers, "cpu s": cpu, "elements": elements(),
            "RSS MB": now, "peak MB": most}  # fmt: skip
        guard.stop()


def elements():
    """How many elements are in the sets of all tables."""
    listed = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    sets = (row["set"] for row in json.loads(listed)["nftables"] if "set" in row)
    return sum(len(one.get("elem", [])) for one in sets)


def memory(work, sources, peers, cap=300):
    for peer in peers:
        flush()
        guard = peer(work, 3, f'[jail.asterisk]\nlogpath = ["{work}/empty.log"]\n' if peer is guards.Sereno else "")
        open(f"{work}/empty.log", "w", encoding="ascii").close()
        guard.start()
        time.sleep(1)
        yield "memory at the start", guard.name, dict(zip(("RSS MB", "peak MB"), guard.memory()))
        guard.stop()
        flush()
        many = {guards.Sereno: sources, guards.Fail2banRs: min(sources, 1_000_000)}.get(peer, min(sources, 50_000))
        yield from crowd(peer, work, many, cap)


def crowd(peer, work, many, cap):
    """So many sources with one failure each, through standard input where it is read, else through the log."""
    guard = peer(work, 3, "stdin" if peer is guards.Sereno else "")
    guard.start(subprocess.PIPE)
    addrs, begin, done = logs.wide(), time.monotonic(), 0
    out = guard.process.stdin if peer is guards.Sereno else open(guard.log, "ab", buffering=0)
    tail_end = " port 51234 ssh2\n"
    while done < many and time.monotonic() - begin < cap:
        count = min(10_000, many - done)
        head = logs.stamp("sshd", time.time())
        out.write("".join(f"{head}sshd[{done + n}]: Failed password for root from {next(addrs)}{tail_end}"
                          for n in range(count)).encode())  # fmt: skip
        done += count
    out.flush()
    before = guard.cpu() if peer is guards.Sereno else 0
    guards.Guard.busy_until(guard, before - 1, 60)
    row = {"RSS MB": guard.memory()[0], "peak MB": guard.memory()[1], "cpu s": guard.cpu()}
    if peer is guards.Sereno:
        row |= {"counted": guard.jail()["failures"], "watching": guard.jail()["watching"]}
    yield f"memory after {done:,} sources", guard.name, row
    guard.stop()
