"""What Python itself finds, for tests/python_regex.rs.

Reads commands as lines of JSON and answers each with a line. fail2ban's own classes, as they are
installed, read its filters and fill in its tags.
"""
import glob
import json
import os
import re
import signal
import sys
import unicodedata
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, "/usr/lib/python3/dist-packages")

from fail2ban.client.filterreader import FilterReader
from fail2ban.server.datedetector import DateDetector
from fail2ban.server.failregex import Regex

LOGS = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
CONFIG = "/etc/fail2ban"
TESTS = "/usr/lib/python3/dist-packages/fail2ban/tests/config"
MODES = ["", "normal", "ddos", "extra", "aggressive", "more", "auth", "rbl", "errors", "fallback",
         "standard", "pass", "all", "tls"]


def read(base, name, options):
    reader = FilterReader(name, "jail", options, basedir=base)
    if not reader.read():
        return []
    reader.getOptions(None)
    lines, found = 1, []
    for command in reader.convert():
        if command[2] == "maxlines":
            lines = int(command[3])
        elif command[2] in ("prefregex", "addfailregex", "addignoreregex"):
            values = command[3] if isinstance(command[3], list) else [command[3]]
            found += [(command[2], value) for value in values]
    return [(kind, value, lines > 1) for kind, value in found]


def stock():
    """Every expression of every filter in every mode, and the texts of fail2ban's own samples."""
    found, prefixes = set(), {}
    for base in (CONFIG, TESTS):
        for path in sorted(glob.glob(base + "/filter.d/*.conf")):
            name = os.path.basename(path)[:-5]
            if name.endswith("common"):
                continue
            for mode in MODES:
                for logtype in ("file", "journal"):
                    options = {"logtype": logtype, **({"mode": mode} if mode else {})}
                    try:
                        read_ = read(base, name, options)
                    except Exception:
                        continue
                    for kind, value, multiline in read_:
                        if kind == "prefregex":
                            prefixes.setdefault(name, set()).add(value)
                        found.add((name, value, multiline))
    texts = set()
    for path in sorted(glob.glob(LOGS + "/*")):
        name = os.path.basename(path)
        if not os.path.isfile(path):
            continue
        dates = DateDetector()
        dates.addDefaultTemplate()
        compiled = [Regex(value, useDns="yes")._regexObj for value in prefixes.get(name, ())]
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                line = line.rstrip("\n")
                texts.add(line)
                try:
                    match = dates.matchTime(line)[0]
                except Exception:
                    match = None
                if match:
                    line = line[:match.start(1)] + line[match.end(1):]
                    texts.add(line)
                for regex in compiled:
                    match = regex.search(line + "\n")
                    if match and "content" in regex.groupindex:
                        texts.add(match.group("content"))
    unique = {(value, multiline): name for name, value, multiline in sorted(found)}
    return {
        "expressions": [[name, value, multiline] for (value, multiline), name in unique.items()],
        "texts": sorted(text for text in texts if "\n" not in text),
    }


def search(query, texts):
    try:
        regex = Regex(query["regex"], multiline=query["multiline"],
                      useDns="yes" if query["dns"] else "no")._regexObj
    except Exception as error:
        return {"error": str(error).split("\n")[-1]}
    found = {}
    for index, text in enumerate(query.get("texts", texts)):
        # Python's own search may take for ever.
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            match = regex.search(text)
        except TimeoutError:
            return {"slow": True}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if match:
            found[index] = [match.span(group) for group in range(regex.groups + 1)]
    return {"names": dict(regex.groupindex), "found": found}


def late(*_):
    raise TimeoutError


def main():
    signal.signal(signal.SIGALRM, late)
    texts = []
    for line in sys.stdin:
        query = json.loads(line)
        if query.get("stock"):
            answer = stock()
        elif "assigned" in query:
            kept = range(*query["assigned"])
            answer = [code for code in kept if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
        elif "keep" in query:
            texts, answer = query["keep"], {}
        else:
            answer = search(query, texts)
        print(json.dumps(answer), flush=True)


main()
