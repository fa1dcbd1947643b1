#!/usr/bin/env python3
"""Writes first inputs for every target below corpus/, from the rules' own sample lines, the
guide, and the formats' documents. What the fuzzer added to them stays."""

import base64
import ipaddress
import json
import pathlib
import re
import struct
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def rules():
    """The texts of every rule's files: that with its name, then those that extend it."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.toml")):
        text = path.read_text()
        said = tomllib.loads(text)
        files = found.setdefault(said.get("name") or said["extends"], [])
        files.insert(0 if "name" in said else len(files), text)
    return found


RULES = rules()


def put(target, name, data):
    """Keeps one input."""
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data if isinstance(data, bytes) else data.encode()
    (folder / f"seed-{name}").write_bytes(data)


def samples():
    """Every sample line, with the rule and the pattern it belongs to."""
    for rule, files in RULES.items():
        for pattern in (pattern for text in files for pattern in tomllib.loads(text)["pattern"]):
            matches = [sample["line"] for sample in pattern.get("match", [])]
            for number, line in enumerate(matches + pattern.get("reject", [])):
                yield rule, f"{rule}-{pattern['id']}-{number}", line


LINES = [
    "<34>1 2026-11-22T15:22:38Z pbx sshd 42 ID1 [a@1 x=\"]\\\"\"][b y=\"z\"] Failed password",
    "<133>Nov 22 15:22:38 pbx asterisk[9]: NOTICE[4108]: chan_sip.c:27 in handle: Call from ''",
    "[Nov 22 15:22:38] VERBOSE[4108][C-0000011c] Ext. 100: said",
    "[2026-11-22 15:22:38.123] NOTICE[4108]: chan_sip.c:27 handle_request: Call from ''",
    "\x1b[1;33m[Nov 22 15:22:38]\x1b[0m NOTICE[4108] chan_sip.c: Call",
    '203.0.113.9 - - [22/Nov/2026:15:22:38 +0100] "GET / HTTP/1.1" 401',
    "22/Nov/2026:15:22:38 +0100 x",
    "Sun Nov 22 15:22:38.123 2026 x",
    "1795357358.123456 x",
    "2026/11/22 15:22:38,5-0530 x",
    "Feb 29 23:59:60 h p: x",
    "Oct 25 02:30:00 h p[1]: x",
    '{"hostname":"pbx","timestamp":"2026-11-22 15:22:38.1","identifiers":{"lwp":4108},"logmsg":'
    '{"location":{"filename":"chan_sip.c"},"level":"NOTICE","message":"Call\\tfrom \'\'\\n"}}',
]


def lines_and_blocks():
    blocks = {}
    for rule, name, line in samples():
        put("line", name, b"\0\0\0\0" + line.encode())
        put("rule", name, b"\3\0\0" + line.encode())
        blocks.setdefault(rule, []).append(line)
    for number, line in enumerate(LINES):
        put("line", f"own-{number}", b"\0\0\0\0" + line.encode())
    for rule, lines in blocks.items():
        for at in range(0, len(lines), 6):
            put("rule", f"{rule}-block-{at}", b"\1\x30\xa0" + "\n".join(lines[at : at + 6]).encode())
            # The same with a line break in every line, as a stranger would write it.
            cut = [line[: len(line) * 2 // 3] + "\n" + line[len(line) * 2 // 3 :] for line in lines[at : at + 6]]
            put("rule", f"{rule}-cut-{at}", b"\1\x30\xa0" + "\n".join(cut).encode())


def head_of(text):
    """What stands before the patterns: the head, and the lines of definitions."""
    head, _, define = re.sub(r"#.*\n", "", text.split("[[pattern]]")[0]).partition("[define]")
    return head, define.strip().splitlines()


def patterns():
    """One rule for each pattern, with the definitions that it uses."""
    for rule, files in RULES.items():
        head, shared = head_of(files[0])
        parts = [(part, text) for text in files for part in text.split("[[pattern]]")[1:]]
        for number, (part, text) in enumerate(parts):
            lines = shared if text is files[0] else shared + head_of(text)[1]
            used = []
            # A definition stands behind those that it uses.
            for line in reversed(lines):
                if f"<{line.split(' ')[0]}>" in part + "".join(used):
                    used.insert(0, line)
            define = "\n".join(["[define]", *used, ""])
            put("pattern", f"{rule}-{number}", f"{head}{define}[[pattern]]{part}")


def configurations():
    for guide in sorted((ROOT / "docs/guide").glob("*.md")):
        for number, block in enumerate(re.findall(r"```toml\n(.*?)```", guide.read_text(), re.S)):
            parts = ["", "", block] if "[[pattern]]" in block else [block]
            put("config", f"{guide.stem}-{number}", "\0".join(parts))
    full = (
        'ignoreip = ["192.0.2.0/24", "2001:db8::/48"]\n[sereno]\ntimezone = "Europe/Madrid"\nobserve = true\n'
        '[defaults]\nmaxretry = 3\nfindtime = "10m"\nbantime = "permanent"\n"bantime.increment" = true\n'
        '"bantime.multipliers" = [1, 2, 4]\n"bantime.maxtime" = "5w"\n[jail.sshd]\nports = ["tcp/22", "udp/5060-5061"]\n'
        'logpath = ["/var/log/auth.log"]\nnethosts = 3\nnet4-prefix = 24\n[jail.b]\nrule = "sshd"\nenabled = false\n'
        'journal = ["_SYSTEMD_UNIT=ssh.service", "+", "_COMM=sshd"]\n'
    )
    put("config", "full", full)
    put("config", "two", full + '\0[jail.sshd]\nports = "all"\nport = 22\nfilter = "x"\n')
    put("config", "broken", full.replace("]\n", "\n") + "\0= =\n[jail.sshd\nñ = \"\u2028\n'''")


def frames():
    asks = ["status", "bans", "watch", "reload", "stop"]
    asks += [{"unban": {"prefix": None}}, {"unban": {"prefix": "::ffff:192.0.2.7"}}, {"why": {"prefix": "2001:db8::/32"}}]
    asks += [{"ban": {"prefix": "192.0.2.0/24", "jail": "sshd", "seconds": 60, "why": "ñ\u0000\""}}]
    bodies = [json.dumps({"v": 1, "ask": ask}).encode() for ask in asks]
    hold = {"scope": "sshd", "prefix": "192.0.2.7", "until": 1795357358000000}
    bodies += [json.dumps(order).encode() for order in ({"Ban": hold}, {"Lift": {"scope": "sshd", "prefix": "::1"}})]
    for number, body in enumerate(bodies):
        put("control", f"bare-{number}", b"\x80" + body)
    put("control", "stream", b"\x05" + b"".join(struct.pack(">I", len(body)) + body for body in bodies))


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind, flags, body):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 9, 0) + body


def datagrams():
    """Numbers as in linux/netlink.h and linux/netfilter/nf_tables.h."""
    note = attribute(2, struct.pack("=I", 44)) + attribute(1, b"no\0")
    capped = message(2, 0x300, struct.pack("=i", -2) + bytes(16) + note)
    whole = message(2, 0x200, struct.pack("=i", -2) + struct.pack("=I", 24) + bytes(20) + note)
    key = lambda addr: attribute(1, attribute(1, addr))
    timed = key(bytes([203, 0, 113, 9])) + attribute(4, struct.pack(">Q", 60000)) + attribute(5, struct.pack(">Q", 5))
    listed = attribute(1, b"sereno\0") + attribute(2, b"v4\0")
    listed += attribute(3, attribute(1, timed) + attribute(1, key(bytes(16))))
    elements = message(0x0A0C, 2, b"\1\0\0\0" + listed)
    done = message(3, 2, bytes(4))
    for name, data in {"capped": capped, "whole": whole, "dump": elements + done, "overrun": message(4, 0, b"")}.items():
        put("netlink", name, data)


def heard():
    """Packets behind the letter that says why: IPv4 with options, IPv6 with headers between, fragments, odd lengths."""
    tcp = struct.pack(">HHIIBBHHH", 4321, 7000, 1, 0, 0x50, 2, 65535, 0, 0)
    udp = lambda body, length=None: struct.pack(">HHHH", 4321, 62201, length or 8 + len(body), 0) + body
    def v4(number, inner, options=b"", where=0):
        words = 5 + len(options) // 4
        head = struct.pack(">BBHHHBBH", 0x40 | words, 0, words * 4 + len(inner), 0, where, 64, number, 0)
        return head + bytes([192, 0, 2, 7, 10, 9, 0, 1]) + options + inner
    def v6(number, inner, source="fd09::2"):
        addrs = ipaddress.ip_address(source).packed + ipaddress.ip_address("fd09::1").packed
        return struct.pack(">IHBB", 6 << 28, len(inner), number, 64) + addrs + inner
    between = b"\x2b\0" + bytes(6) + b"\x2c\0" + bytes(6) + b"\x33\0" + bytes(6) + b"\x06\x04" + bytes(22) + tcp
    for name, data in {
        "syn": b"n" + v4(6, tcp), "options": b"f" + v4(6, tcp, bytes(8)), "first": b"h" + v4(6, tcp, where=0x2000),
        "later": b"h" + v4(6, tcp, where=5), "datagram": b"s" + v4(17, udp(b"x" * 40)),
        "short": b"s" + v4(17, udp(b"x" * 40, 20)), "long": b"s" + v4(17, udp(b"x" * 40, 99)),
        "six": b"n" + v6(6, tcp), "between": b"n" + v6(0, between), "whole": b"s" + v6(17, udp(b"y" * 30)),
        "mapped": b"n" + v6(6, tcp, "::ffff:192.0.2.7"),
    }.items():
        put("heard", name, data)


def entries():
    base = {"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1795357358000001", "_PID": "42", "_COMM": "sshd"}
    for number, text in enumerate(["Failed password", "a\n\0", None, [104, 255], ["one", "two"], [[1, 2], "two"], []]):
        put("journal", f"form-{number}", json.dumps({**base, "MESSAGE": text, "_HOSTNAME": "ñ"}))


def packets():
    """Packets of the real client, and what may stand in them."""
    folder = ROOT / "crates/sereno-spa/tests/fwknop"
    for number, one in enumerate(json.loads((folder / "client.json").read_text())["packets"]):
        if number % 5 == 0:
            put("spa", f"client-{number}", b"\0" + one["packet"].encode())
    b64 = lambda text: base64.b64encode(text.encode()).decode().rstrip("=")
    nat = ":" + b64("192.0.2.7,5000")
    texts = {"1": "", "2": nat, "3": ":60", "4": nat + ":60", "5": nat, "6": nat + ":" + b64("x") + ":0"}
    for kind, more in texts.items():
        for who in ("192.0.2.1", "0.0.0.0", "2001:db8::7", "::"):
            text = f"0123456789012345:{b64('root')}:1795361723:3.0.0:{kind}:{b64(who + ',tcp/22,udp/53')}{more}"
            put("spa", f"text-{kind}-{who.replace(':', '_')}", b"\1" + text.encode())
    put("spa", "command", b"\2" + f"0123456789012345:{b64('a')}:1795361723:3:0:{b64('::,id; x')}".encode())


def stanzas():
    """fwknop's files, from the tests and the real client."""
    folder = ROOT / "crates"
    tests = (folder / "sereno-config/tests/fwknop.rs").read_text()
    keys = "KEY abc\nHMAC_KEY xyz\n"
    options = sorted(set(re.findall(r"[A-Z]+_[A-Z_]+ [^\\\n;\"]{1,40}", tests)))
    for number in range(0, len(options), 3):
        put("access", f"options-{number}", "SOURCE ANY\n" + keys + "\n".join(options[number : number + 3]))
    put("access", "conf", "SOURCE 192.0.2.0/24\n" + keys + "\0MAX_SPA_PACKET_AGE 60;\nPCAP_FILTER udp port 1;\n")
    put("access", "include", "%include x\nSOURCE ANY\n%include_keys y\n%include_folder z\n%include none\0\0SOURCE ANY\n" + keys)
    put("access", "loop", "%include x\0\0%include x\n%include_folder y\n")
    rc = json.loads((folder / "sereno-spa/tests/fwknop/client.json").read_text())["rc"]
    put("access", "rc", "[default]\nTIME_OFFSET -2m\nALLOW_IP source\n" + rc)


EXPRESSIONS = [
    (r"^<F-MLFID>\S+\[\d+\]</F-MLFID>: <F-CONTENT>.+</F-CONTENT>$", "a[7]: no"),
    (r"^wrong word for <F-USER>.*</F-USER> from <HOST>(?: port \d+)?(?: on \S+)?$", "wrong word for x from 192.0.2.7"),
    (r"(?i)^\[?client <ADDR>\]? (?P<q>['\"]).*?(?P=q) denied\b(?!ly)", 'CLIENT ::1 "x" denied'),
    (r"^a(?(1)b|c)(?<!d)(?:e|f{2,3}+|g*?)\Z|(h)", "acee"),
    (r"open <F-ID>\d+</F-ID>$<SKIPLINES>^shut (?P=fid) by <SUBNET>$", "open 7\nx\nshut 7 by 192.0.2.0/24"),
    (r"(?x) [^\W\d_]+ # letters\n \x41 \u00e9 (?>a|ab)c", "xAéac"),
]
DATES = ["", "{DATE}", "{^LN-BEG}%Y-%m-%d %H:%M:%S", "%d(?P<_sep>[-/])%b(?P=_sep)%Y:%H:%M:%S(?: %z)?", "{EPOCH}", "{LEPOCH}",
         r"^\[%a %b %d %k:%M:%S(?:\.%f)? %ExY\]", "{NONE}", r"(?<=\[)%I:%M:%S %p(?=\])", "%y%j %U %w %Z"]
STAMPED = [line for line in LINES if not line.startswith("{")] + [
    "@400000004f1c3f3b2d1c4a00 x", "audit(1795357358.123:45)", "1795357358123 x", "<11/22/26@15:22:38> x",
    "261122 15:22:38 x", "Nov 22, 2026 3:22:38 PM", "Nov-22-26 15:22:38 x", "20261122T152238.5Z x", "CET Nov 22 15:22:38 x"]
TREES = [
    ["[DEFAULT]\nbantime = 1h\nlogpath = /l\n[a]\nenabled = true\nfilter = f[x=1]\naction = a[p=\"1,2\"]\n         a[actname=b]\n",
     "[a]\nmaxretry = %(known/maxretry)s\n", "", "[INCLUDES]\nbefore = f.local\n[Definition]\nfailregex = ^x <HOST>\n  ^%(y)s <x>\n"
     "[Init]\nx = 2\n", "[Definition]\ny = ([^ ]*)\nmaxlines = 3\nusedns = no\n",
     "[Definition]\nactionban = echo '<matches>' | mail -s \"<name> <ip>\" <F-USER> > /dev/null\nactionunban = <blk>\n"
     "[Init]\nblk = a <p> <<E\n\n\tE\n[Init?family=inet6]\nblk = b\n", "[Definition]\nloglevel = INFO\n[Thread]\nstacksize = 0\n"],
    ["[a]\nenabled = yes # no\nfilter = f\nfindtime = 1d 2h*3\nignoreip = 127.0.0.1/8 ::1, file:/x\nbantime.multipliers = 1 2 4\n"
     "journalmatch = _A=1 + _B='x'\n", "", "", "[Definition]\nprefregex = ^<F-CONTENT>.+</F-CONTENT>$\nfailregex = <HOST>$\n"
     "ignoreregex =\ndatepattern = %%Y\n"],
]
SPOKEN = [
    "Nov 22 15:22:38 gated[7]: hello from 192.0.2.7", "Nov 22 15:22:38 gated[7]: warn: wrong word of x from 192.0.2.7 at 5",
    "Nov 22 15:22:39 gated[7]: wrong word", "Nov 22 15:22:39 gated[7]: in as y from 2001:db8::7", "Nov 22 15:22:40 gated[7]: bye",
    "Nov 22 15:22:40 gated[8]: wrong word of friend from host.example", "2026-11-22 15:22:38 open 7", "x",
    "2026-11-22 15:22:38 shut 7 by 192.0.2.7", "2026-11-22 15:22:38 knock 192.0.2.0/24",
    "2026-11-22 15:22:38 client [192.0.2.7]:80 'x' denied", "2026-11-22 15:22:38 [refused] 2001:db8::7",
    "2026-11-22 15:22:38 192.0.2.7 refused", "2026-11-22 15:22:38 name=host.example id quiet",
    "2026-11-22 15:22:38 client 192.0.2.7.example.org \"\" denied"]


PBX = [
    "[general]\ncontext=default\nallowguest=no\n[t](!)\ntype=friend\nhost=dynamic\n[100](t)\nsecret=a\\;b ; c\n",
    "[a](+)\nx=1\n",
    "[a]\nx=1\n[a](+x=1&y=2)\nx+=2\n[a](+,!,t)\n[b](a)\n",
    "[a]\n#include \"b\"\nz=3\n#tryinclude <{a,b}>\n\0y=2\n[c]\nk=>1\n#include a\n",
    "[a]\nx=1;-- gone ;-- more --; --;2\n;-- on\ny=1\n--; z=1 ;--- no\n",
    "\ufeff[a](t, u)\n\\[foo]=bar\n\\#x=1\n\\==2\n",
    "[a\n[b](c\n#exec x\n#what y\n#include\nx\n=1\n",
    "[t0](!)\nx=1\n" + "".join(f"[t{n}](!,t{n - 1},t{n - 1})\n" for n in range(1, 9)),
    "[ctx]\r\nexten => _X.,1,Dial(SIP/${EXTEN}@trunk)\r\n same => n,Hangup()\r\n",
    "[a]\nx=" + "v" * 400 + "\n" + ";--" * 20,
]


def asterisk():
    for number, text in enumerate(PBX):
        put("asterisk", f"own-{number}", text)


def fail2ban():
    for number, (expression, text) in enumerate(EXPRESSIONS):
        put("expression", f"own-{number}", b"\x03" + f"{expression}\0{text}".encode())
        put("expression", f"model-{number}", bytes([4 + number % 2, 9]) + bytes((7 * number + n * n) % 251 for n in range(40)))
    for number, pattern in enumerate(DATES):
        put("date", f"own-{number}", bytes([number, 0, 0, 0, 0]) + (pattern + "\0" + "\n".join(STAMPED)).encode())
    for number, line in enumerate(STAMPED):
        put("date", f"line-{number}", bytes(5) + f"\0{line}".encode())
    for number, files in enumerate(TREES):
        put("tree", f"own-{number}", "\0".join(files))
    for number, line in enumerate(SPOKEN):
        put("filter", f"line-{number}", f"\0{line}")
    put("filter", "all", "\x80" + "\n".join(SPOKEN))


def knockd():
    """The files that the real knockd was asked about, and knocks at the doors of the check."""
    for case in json.loads((ROOT / "tests/data/knockd/cases.json").read_text()):
        once = "\0" + case["ots"] if "ots" in case else ""
        put("knockd", case["id"], case["config"].replace("{OTS}", "/ots") + once)
    rule = "-s %IP% -p tcp --dport 22 -j ACCEPT"
    put("knockd", "rules", f"[a]\nsequence=1:udp,2\ncommand=iptables -A INPUT {rule}\n[b]\nsequence=7,\n8\n"
        f"start_command=/sbin/iptables -I INPUT {rule}\nstop_command=iptables -D INPUT\n{rule}\ncmd_timeout=5\ntarget=::1\n")
    hit = lambda port, who=0, flags=0, wait=8: struct.pack(">BHBH", who, port, flags, wait)
    for name, hits in {
        "three": [hit(0), hit(2), hit(1)],
        "five": [hit(0), hit(2), hit(1), hit(0), hit(3)],
        "repeated": [hit(0), hit(0), hit(2), hit(0), hit(2), hit(1)],
        "slow": [hit(0), hit(2, wait=20000), hit(1, wait=20000)],
        "mixed": [hit(1), hit(1, who=8), hit(2)],
        "once": [hit(5), hit(3), hit(5), hit(3), hit(5)],
        "two": [hit(0), hit(0, who=1), hit(2), hit(2, who=1), hit(1), hit(1, who=1)],
        "trap": [hit(7), hit(0), hit(2), hit(1), hit(0), hit(3)],
    }.items():
        for manner in (b"\0", b"\1"):
            put("knock", f"{name}-{manner[0]}", manner + b"".join(hits))


def invited():
    """The doors of the guide, and slips in them."""
    guide = (ROOT / "docs/guide/knock.md").read_text()
    fixed, timed = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    secret = re.search(r"secret.*\n", timed)[0]
    for name, text in {
        "fixed": fixed,
        "timed": timed,
        "short": 'host = "::1"\nknock = [7]\n',
        "both": fixed + secret,
        "neither": 'host = "a"\n',
        "nobody": "knock = [7, 8]\n",
        "slip": fixed.replace("knock", "knok"),
        "bare": timed.replace('"', ""),
        "shell": fixed.replace("srv.example.org", "$(id)"),
        "range": timed.replace("60999", "20100"),
        "once": fixed.replace("true", "yes"),
        "open": timed.replace('=="', "=="),
    }.items():
        put("invited", name, text)


if __name__ == "__main__":
    parts = (
        invited, lines_and_blocks, patterns, configurations, frames, datagrams, heard, entries, fail2ban, packets,
        stanzas, knockd, asterisk,
    )
    for write in parts:
        write()
