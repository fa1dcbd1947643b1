"""Answers, with the installed fail2ban, what its date detector says: a JSON request per line."""
import ast, glob, json, os, sys, time, warnings

warnings.simplefilter("ignore")
from fail2ban.client.filterreader import FilterReader
from fail2ban.server import datedetector
from fail2ban.server.mytime import MyTime
import fail2ban.tests

import logging
logging.disable(logging.CRITICAL)

# The defaults first: their weights do not depend on what was asked before then.
defaults = datedetector.DateDetector()
defaults.addDefaultTemplate()
detector = None
now = [0.0]


class Clock:
    """The module's `time`, whose present is the request's."""
    time = staticmethod(lambda: now[0])


datedetector.time = Clock

def make(request):
    global detector
    os.environ["TZ"] = request["zone"]
    time.tzset()
    MyTime.setTime(None)
    detector = datedetector.DateDetector()
    try:
        detector.default_tz = request["log"]
        for line in (request["pattern"] or "").split("\n"):
            if line.strip():
                detector.appendTemplate(line.strip())
        if not detector.templates:
            detector.addDefaultTemplate()
        for one in detector.templates:
            one.template.hits = 0
            one.template._compileRegex()
    except Exception as error:
        detector = None
        return {"refused": str(error)[:200]}
    return {"templates": [one.name for one in detector.templates]}


def ask(request):
    if detector is None:
        return {}
    now[0] = request["now"]
    MyTime.setTime(request["now"])
    line = request["line"]
    try:
        match, template = detector.matchTime(line)
    except IndexError as error:
        return {"fault": str(error)}
    if not match:
        return {}
    answer = {"start": match.start(1), "end": match.end(1), "name": template.name}
    try:
        date = detector.getTime(line, (match, template))
        answer["time"] = date[0] if date else None
    except Exception as error:
        answer["time"] = None
    return answer


def hits(request):
    return [[one.name, one.hits] for one in detector.templates] if detector else []


def stock(request):
    found = set()
    for path in sorted(glob.glob("/etc/fail2ban/filter.d/*.conf")):
        name = os.path.basename(path)[:-5]
        for kind in "file", "short", "journal", "rfc5424":
            reader = FilterReader(name, "jail", {"logtype": kind}, basedir="/etc/fail2ban")
            try:
                reader.read()
                reader.getOptions(None)
                found.add(reader.getCombined().get("datepattern") or "")
            except Exception:
                pass
    return sorted(found)


def logs(request):
    base = os.path.join(os.path.dirname(fail2ban.tests.__file__), "files", "logs")
    found = []
    for path in sorted(glob.glob(base + "/*")):
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                found.append([line.rstrip("\r\n") for line in file])
    return found


def strings(request):
    """All texts in fail2ban's own tests of its dates."""
    path = os.path.join(os.path.dirname(fail2ban.tests.__file__), "datedetectortestcase.py")
    with open(path) as file:
        tree = ast.parse(file.read())
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return sorted({text for text in texts if isinstance(text, str) and "\n" not in text})


commands = {"make": make, "ask": ask, "hits": hits, "stock": stock, "logs": logs,
            "strings": strings, "now": lambda request: time.time()}
for text in sys.stdin:
    request = json.loads(text)
    print(json.dumps(commands[request["do"]](request)))
