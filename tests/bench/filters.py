"""The measures of fail2ban's own filters: Sereno and fail2ban-regex read the same logs with the same files.

Each gives rows: (what, program, {figure: value}).
"""

import itertools
import re
import shutil
import statistics

import guards
import logs
import measure

ETC = "/etc/fail2ban"
SLICE = 200_000  # lines for fail2ban-regex, so that its start weighs little


def head(path, to, lines):
    with open(path, "rb") as text, open(to, "wb") as out:
        out.writelines(itertools.islice(text, lines))


def speed(work, lines, rounds):
    for kind in ("sshd", "asterisk"):
        for share in (0.02, 0.7):
            log, short = f"{work}/{kind}.log", f"{work}/{kind}.short"
            truth = logs.write(log, kind, lines, share)
            few = min(lines, SLICE)
            head(log, short, few)
            ours = [guards.Sereno.binary, "scan", "--fail2ban", ETC, "--filter", kind, "--count"]
            theirs = ["fail2ban-regex", short, f"{ETC}/filter.d/{kind}.conf"]
            taken, found = {"long": [], "short": [], "theirs": []}, {}
            for turn in range(rounds):
                for name, words in (("long", [*ours, log]), ("short", [*ours, short]), ("theirs", theirs)):
                    if name == "theirs" and turn >= 3:
                        continue
                    _, cpu, text = measure.timed(words, f"{work}/out")
                    taken[name].append(cpu)
                    found[name] = measure.failed("fail2ban-regex" if name == "theirs" else "sereno", text)
            cpu = {name: statistics.median(times) for name, times in taken.items()}
            rates = lines / cpu["long"], few / cpu["theirs"]
            what = f"fail2ban's {kind}, {share:.0%}"
            yield what, "sereno scan", {"lines per CPU s": rates[0], "cpu s": cpu["long"], "found": found["long"],
                                        "found in the slice": found["short"], "true": truth["failures"],
                                        "times fail2ban-regex": rates[0] / rates[1]}  # fmt: skip
            yield what, "fail2ban-regex", {"lines per CPU s": rates[1], "lines": few, "cpu s": cpu["theirs"],
                                           "found": found["theirs"]}  # fmt: skip


def stock(work):
    """A copy of the stock tree in which every jail is enabled."""
    tree = f"{work}/fail2ban"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ETC, tree, ignore=shutil.ignore_patterns("jail.d", "*.local"))
    with open(f"{tree}/jail.local", "w", encoding="ascii") as out:
        out.write("[DEFAULT]\nenabled = true\nbackend = polling\n")
    with open(f"{tree}/jail.conf", encoding="utf-8") as text:
        names = re.findall(r"^\[(?!DEFAULT|INCLUDES)([\w-]+)\]$", text.read(), re.MULTILINE)
    return tree, names


def start(work, rounds):
    tree, names = stock(work)
    words = [guards.Sereno.binary, "check", "--fail2ban", tree]
    times = [measure.timed(words, f"{work}/out")[:2] for _ in range(rounds)]
    wall, cpu = (statistics.median(column) for column in zip(*times))
    yield "reading and compiling every stock jail", "sereno check", {"jails": len(names), "s": wall, "cpu s": cpu}


def jails(work, lines, rounds):
    tree, log = stock(work)[0], f"{work}/sshd.log"
    logs.write(log, "sshd", lines, 0.02)
    sets = {"one jail": ["sshd"], "four jails": ["sshd", "asterisk", "postfix", "dovecot"]}
    taken = {name: [] for name in sets}
    for _ in range(rounds):
        for name, jails_ in sets.items():
            words = [guards.Sereno.binary, "replay", "--fail2ban", tree, "--json", log]
            words += [word for jail in jails_ for word in ("--jail", jail)]
            taken[name].append(measure.timed(words, f"{work}/out")[1])
    one, four = (statistics.median(taken[name]) for name in sets)
    yield "jails on one log", "sereno replay", {"one: cpu s": one, "four: cpu s": four, "four / one": four / one}


def measures(work, lines, rounds):
    if not shutil.which("fail2ban-regex"):
        print("skipped: fail2ban is not installed")
        return
    yield from start(work, rounds)
    yield from jails(work, lines, rounds)
    yield from speed(work, lines, rounds)
