"""Labels for logs real servers wrote: whose line is it, and was it an attack?"""

import json
import lzma
import os
import re
import threading
import time

import ami
import net as lab_net

_LOCAL = re.compile(r'LocalAddress(?:=\\?"|: )IPV[46]/\w+/[^"\\/]+/\d+')
_ADDRESS = re.compile(r"(?<![0-9A-Fa-f:.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})")
_CALL = re.compile(r'\[(C-[0-9a-f]{8})\]|"callid":"(C-[0-9a-f]{8})"')
_HEAD = re.compile(r"^(?:\[[^\]]*\d\d:\d\d:\d\d[^\]]*\] |\{\"hostname\")")
_EVENT = re.compile(r'SecurityEvent=\\?"(\w+)')
_FAULT = re.compile(r"failed|rejected|Rejecting|tried to authenticate|denied|mismatch|Dropping|Error processing")
_LEVEL = re.compile(r'^\[[^\]]+\] (\w+)\[|"level":"(\w+)"')


def is_failure(line):
    """Whether a log line reports that somebody was refused (a SECURITY event of that sort, or a complaint)."""
    event = _EVENT.search(line)
    if event:
        return event[1] not in ("ChallengeSent", "SuccessfulAuth")
    level = _LEVEL.search(line)
    return bool(level and (level[1] or level[2]) in ("NOTICE", "WARNING", "ERROR") and _FAULT.search(line))


def label_lines(lines, sources):
    """Yields a label for every line whose author is known.

    sources: address -> (kind, attack). A line names its author; one that names nobody belongs to the author
    of the call it names, or of the record it continues.
    """
    calls, last = {}, None
    for number, line in enumerate(lines, 1):
        call = _CALL.search(line)
        call = call and (call[1] or call[2])
        found = [one for one in _ADDRESS.findall(_LOCAL.sub("", line)) if one in sources]
        if found:
            last = found[0]
            if call:
                calls.setdefault(call, last)
        elif _HEAD.match(line):
            last = calls.get(call)
        if last:
            kind, attack = sources[last]
            yield {"n": number, "ip": last, "kind": kind, "attack": attack, "failure": is_failure(line)}


def label_events(lines, sources):
    """The same for a manager's stream, where a record is the lines up to an empty one: n to `to`, inclusive."""
    start = 0
    for end, line in enumerate(lines):
        if line not in ("\r", ""):
            continue
        event, first = lines[start:end], start + 1
        start = end + 1
        found = [one for part in event for one in _ADDRESS.findall(_LOCAL.sub("", part)) if one in sources]
        if found:
            kind, attack = sources[found[0]]
            failure = event[0].removeprefix("Event: ").strip() not in ("ChallengeSent", "SuccessfulAuth")
            yield {"n": first, "to": end + 1, "ip": found[0], "kind": kind, "attack": attack, "failure": failure}


def read_lines(path):
    """The lines of a log as written: \\n ends a line, nothing else does."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as log:
        return log.read().split("\n")[:-1]


def write(path, lines):
    """Writes lines to a file, compressed when its name ends in .xz."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
    with open(path, "wb") as file:
        file.write(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME) if path.endswith(".xz") else data)
    return os.path.getsize(path)


def write_labels(path, labels):
    return write(path, [json.dumps(label, separators=(",", ":")) for label in labels])


class AmiTap:
    """A manager client on the server itself that keeps the security events as they come, byte for byte."""

    def __init__(self, lab, server, path):
        self.session = lab_net.in_namespace(lab.name(server.role), lambda: ami.LocalSession("127.0.0.1"))
        if not self.session.login("guard", "Lab-Guard-Manager"):
            raise OSError("the manager refuses the guard's account")
        self.session.send(Action="Events", EventMask="security")
        self._file = open(path, "wb", buffering=0)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self):
        while True:
            try:
                data = self.session.sock.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            self._file.write(data)

    def close(self):
        time.sleep(0.3)
        self.session.sock.shutdown(2)
        self._thread.join(2)
        self.session.sock.close()
        self._file.close()
