"""The measures of lines: scanning, tailing, how soon a ban follows.

Each gives rows: (what, program, {figure: value}).
"""

import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

import guards
import kernel
import logs
import patterns

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "../../rules")
SLICE = 50_000  # lines for fail2ban, which is slow


def timed(words, output):
    """Wall and CPU seconds of a program, and what it printed."""
    with open(output, "w+b") as out:
        start = time.monotonic()
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {text[-500:]}")
    return wall, used.ru_utime + used.ru_stime, text


def failed(program, text):
    """How many failing lines a program says it found."""
    words = text.replace(",", " ").split()
    if program == "fail2ban-regex":
        return int(words[words.index("matched") - 1])
    if program.startswith("fail2ban-rs"):
        return int(words[words.index("Matches:") + 1])
    return int(words[-1])


def scan(work, lines, rounds, rs):
    for kind in ("sshd", "asterisk"):
        few, every = f"{work}/{kind}.few", f"{work}/{kind}.all"
        for path, regexes in ((few, patterns.FEW[kind]), (every, patterns.of_rule(RULES, kind))):
            with open(path, "w", encoding="ascii") as out:
                out.write("\n".join(regexes) + "\n")
        for share in (0.02, 0.7):
            log, short = f"{work}/{kind}.log", f"{work}/{kind}.short"
            truth = logs.write(log, kind, lines, share)
            logs.write(short, kind, min(lines, SLICE), share)
            programs = {
                "sereno scan": [guards.Sereno.binary, "scan", "--rule", kind, "--count", log],
                "rg, every pattern": ["rg", "-j1", "--no-mmap", "-c", "-f", every, log],
                "rg, few patterns": ["rg", "-j1", "--no-mmap", "-c", "-f", few, log],
            }
            if rs:
                config = dry_config(work, kind)
                programs["fail2ban-rs dry-run"] = [rs, "--config", config, "dry-run", log, "--jail", kind]
            what = f"{kind} {share:.0%}"
            yield from scans(what, programs, truth, work, rounds)
            if not shutil.which("fail2ban-regex"):
                continue
            slow = {"fail2ban-regex": ["fail2ban-regex", short, f"/etc/fail2ban/filter.d/{kind}.conf"]}
            with open(f"{short}.truth", encoding="ascii") as text:
                yield from scans(what, slow, json.load(text), work, min(3, rounds))


def scans(what, programs, truth, work, rounds):
    """Rounds alternate between the programs, so that a busy neighbour meets them all."""
    taken, found = {name: [] for name in programs}, {}
    for _ in range(rounds):
        for name, words in programs.items():
            wall, cpu, text = timed(words, f"{work}/out")
            taken[name].append((cpu, wall))
            found[name] = failed(name, text)
    for name, times in taken.items():
        cpu, wall = (statistics.median(column) for column in zip(*times))
        yield what, name, {"lines per CPU s": truth["lines"] / cpu, "lines per s": truth["lines"] / wall,
                           "cpu s": cpu, "found": found[name], "true": truth["failures"]}  # fmt: skip


def dry_config(work, kind):
    path = f"{work}/dry-{kind}.toml"
    filters = json.dumps(patterns.HOST[kind])
    with open(path, "w", encoding="ascii") as out:
        out.write(f'[global]\nstate_file = "{work}/dry-state"\nsocket_path = "{work}/dry-socket"\n'
                  f'[jail.{kind}]\nenabled = true\nlog_path = "{work}/{kind}.log"\nfilter = {filters}\n'
                  f'date_format = "{"syslog" if kind == "sshd" else "common"}"\nport = ["22"]\nprotocol = "tcp"\n'
                  f'max_retry = 1000\nfind_time = "10m"\nban_time = "1h"\nbackend = "nftables"\n')  # fmt: skip
    return path


def flush():
    subprocess.run(["nft", "flush", "ruleset"], check=True)


def tail(work, lines, peers, rounds):
    """Rounds alternate between the programs; the row of each is that of its median."""
    for maxretry, what in ((guards.NOBODY, "nobody banned"), (3, "5,000 banned")):
        taken = {peer: [] for peer in peers}
        for number in range(rounds):
            for peer in peers if number == 0 else [peer for peer in peers if peer is not guards.Fail2ban]:
                taken[peer].append(followed(work, lines, peer, maxretry))
        for peer, rows in taken.items():
            rows.sort(key=lambda row: row["cpu s"])
            row = rows[len(rows) // 2]
            yield f"live tail, {what}", peer.name, {**row, "least cpu s": rows[0]["cpu s"], "rounds": len(rows)}


def followed(work, lines, peer, maxretry):
    """What it costs a program to follow a log that grows by so many lines."""
    source, short = f"{work}/live.log", f"{work}/live.short"
    flush()
    path, count = (short, min(lines, SLICE)) if peer is guards.Fail2ban else (source, lines)
    guard = peer(work, maxretry)
    guard.start()
    logs.write(path, "sshd", count, 0.5, attackers=5000, end=time.time(), span=60)
    counter, before, start = kernel.Counter(), guard.cpu(), time.monotonic()
    guard.append(path)
    last = guard.busy_until(before, 90)
    cpu, banned = guard.cpu() - before, len(counter.finish()[1])
    row = {"lines per CPU s": count / cpu, "lines per s": count / (last - start), "cpu s": cpu,
           "banned": banned, "RSS MB": guard.memory()[0]}  # fmt: skip
    if peer is guards.Sereno:
        row["counted"] = guard.jail()["failures"]
    guard.stop()
    return row


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def strike(guard, addr, pid, ear=None):
    """All but the last failing line, a pause, and the last; the time before its write."""
    with open(guard.log, "ab", buffering=0) as log:
        for n in range(guard.maxretry - 1):
            log.write(logs.sshd_line(addr, time.time(), pid + n).encode())
        time.sleep(0.05)
        if ear:
            ear.drain()
        line = logs.sshd_line(addr, time.time(), pid + 9).encode()
        start = time.monotonic()
        log.write(line)
    return start


def latency(work, samples, peers):
    for peer in peers:
        flush()
        guard, ear, taken, missed = peer(work), kernel.Ear(), [], 0
        guard.start()
        time.sleep(0.5)
        for n in range(samples if peer is guards.Sereno else max(3, samples * 3 // 20)):
            addr = logs.spread(n + 1)
            start = strike(guard, addr, 1000 + n * 10, ear)
            heard = ear.wait_for(addr, 5)
            missed += heard is None
            if heard:
                taken.append((heard - start) * 1e3)
            time.sleep(0.02 + n * 0.037 % 0.1)  # not in step with whoever looks every so often
        ear.close()
        yield "log write to element", guard.name, {
            "median ms": statistics.median(taken), "p99 ms": percentile(taken, 0.99), "most ms": max(taken),
            "samples": len(taken), "missed": missed}  # fmt: skip
        guard.stop()


def packets(work, samples):
    """From the write to the first packet that does not arrive; packets of 0.15 ms distance."""
    foe = f"sereno-bench-{os.getpid()}"
    for words in (f"netns add {foe}", f"link add bench0 type veth peer name bench1 netns {foe}",
                  "addr add 10.9.0.1/24 dev bench0", "link set bench0 up", "route add 45.0.0.0/8 dev bench0",
                  f"-n {foe} addr add 10.9.0.2/24 dev bench1", f"-n {foe} link set bench1 up",
                  f"-n {foe} link set lo up", f"-n {foe} route add local 45.0.0.0/8 dev lo"):  # fmt: skip
        subprocess.run(["ip", *words.split()], check=True)
    try:
        yield from shut(work, samples, foe)
    finally:
        subprocess.run(["ip", "netns", "del", foe], check=False)


def shut(work, samples, foe):
    flush()
    guard, taken = guards.Sereno(work), []
    guard.start()
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.setsockopt(socket.SOL_SOCKET, kernel.SO_RCVBUFFORCE, kernel.ROOM)
    door.bind(("10.9.0.1", 9999))
    for n in range(samples):
        addr = logs.spread(50_000 + n)
        sender = subprocess.Popen(["ip", "netns", "exec", foe, sys.executable, f"{HERE}/knocker.py", addr])
        time.sleep(0.4)
        start = strike(guard, addr, 100_000 + n * 10)
        time.sleep(0.2)
        sender.terminate()
        sender.wait()
        door.setblocking(False)
        sent = []
        try:
            while True:
                sent.append(struct.unpack("=d", door.recv(64))[0])
        except BlockingIOError:
            pass
        after = [moment for moment in sent if moment > start]
        taken.append((max(after, default=start) - start) * 1e3)
        if len(sent) < 100:
            raise RuntimeError("the packets did not arrive even before the ban")
    yield "log write to last packet that arrived", guard.name, {
        "median ms": statistics.median(taken), "most ms": max(taken), "samples": samples}  # fmt: skip
    guard.stop()
