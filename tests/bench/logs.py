"""Logs to measure with, and the truth about them. Lines are as OpenSSH 9.2 and Asterisk 16 and 22 write them.

A log of a given seed is always the same but for its times. The truth counts lines that tell of a failure.
"""

import json
import random
import time

USERS = ("root", "admin", "test", "oracle", "ubuntu", "git", "postgres")
ACCOUNTS = ("100", "101", "200", "600", "601", "1000", "9009")
CHUNK = 20_000  # lines per write

SSHD_FAILURES = {  # share, text
    "failed": (0.4, "Failed password for {user} from {addr} port {port} ssh2"),
    "failed-invalid": (0.2, "Failed password for invalid user {user} from {addr} port {port} ssh2"),
    "invalid": (0.2, "Invalid user {user} from {addr} port {port}"),
    "closed": (0.1, "Connection closed by authenticating user {user} {addr} port {port} [preauth]"),
    "pam": (0.1, "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
                 "rhost={addr}  user={user}"),
}  # fmt: skip
SSHD_QUIET = {
    "cron-open": (0.2, "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
    "cron-close": (0.2, "CRON[{pid}]: pam_unix(cron:session): session closed for user root"),
    "sudo": (0.1, "sudo[{pid}]:   maria : TTY=pts/0 ; PWD=/home/maria ; USER=root ; COMMAND=/usr/bin/apt update"),
    "logind": (0.1, "systemd-logind[{pid}]: New session {port} of user maria."),
    "logout": (0.1, "systemd-logind[{pid}]: Session {port} logged out. Waiting for processes to exit."),
    "accepted": (0.1, "sshd[{pid}]: Accepted publickey for maria from {client} port {port} ssh2: "
                      "ED25519 SHA256:9cnU0lVqJ8mY0O4hKZrQpW3uXcVbNmLkJhGfDsAqWeR"),
    "session": (0.1, "sshd[{pid}]: pam_unix(sshd:session): session opened for user maria(uid=1000) by (uid=0)"),
    "bye": (0.1, "sshd[{pid}]: Received disconnect from {client} port {port}:11: disconnected by user"),
}  # fmt: skip

_EVENT = ('SECURITY[2026] res_security_log.c: SecurityEvent="{{}}",EventTV="{{iso}}.409+0000",Severity="{}",'
          'Service="{}",EventVersion="{}",AccountID="{{account}}",SessionID="{}",'
          'LocalAddress="IPV4/UDP/198.51.100.16/5060",RemoteAddress="IPV4/UDP/{{{}}}/{{port}}"')  # fmt: skip
_PJSIP = _EVENT.format("Error", "PJSIP", "1", "{hash}", "addr")
_SIP = _EVENT.format("Error", "SIP", "2", "0x7f79{port:08x}", "addr")
_PHONE = _EVENT.format("Informational", "PJSIP", "1", "{hash}", "client")
_FAILED = ("NOTICE[1940] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:{account}@198.51.100.16>' "
           "failed for '{addr}:{port}' (callid: {hash}) - ")  # fmt: skip
ASTERISK_FAILURES = {
    "challenge": (0.35, _PJSIP.replace("{}", "ChallengeResponseFailed")
                  + ',Challenge="1795371571/{hash}{hash}",Response="{hash}{hash}",ExpectedResponse=""'),
    "account": (0.15, _PJSIP.replace("{}", "InvalidAccountID")),
    "acl": (0.05, _PJSIP.replace("{}", "FailedACL") + ',ACLName="not_match_endpoint_acl"'),
    "pjsip-notice": (0.15, _FAILED + "No matching endpoint found"),
    "pjsip-notice-auth": (0.10, _FAILED + "Failed to authenticate"),
    "sip-password": (0.08, _SIP.replace("{}", "InvalidPassword")
                     + ',Challenge="6331af1a",ReceivedChallenge="6331af1a",ReceivedHash="1705ac46"'),
    "sip-notice": (0.12, "NOTICE[1859] chan_sip.c: Registration from '\"{account}\" <sip:{account}@198.51.100.16>' "
                         "failed for '{addr}:{port}' - Wrong password"),
}  # fmt: skip
ASTERISK_QUIET = {
    "challenge": (0.25, _PHONE.replace("{}", "ChallengeSent") + ',Challenge=""'),
    "success": (0.25, _PHONE.replace("{}", "SuccessfulAuth") + ',UsingPassword="1"'),
    "dial": (0.2, 'VERBOSE[2092][C-{port:08x}] pbx.c: Executing [777@phones:1] Answer("PJSIP/602-{port:08x}", "") '
                  "in new stack"),
    "contact": (0.1, "VERBOSE[1826] res_pjsip_registrar.c: Added contact 'sip:{account}@{client}:{port}' to AOR "
                     "'{account}' with expiration of 120 seconds"),
    "spawn": (0.1, "VERBOSE[2282][C-{port:08x}] pbx.c: Spawn extension (phones, 777, 1) exited non-zero on "
                   "'PJSIP/600-{port:08x}'"),
    "registered": (0.05, "VERBOSE[1859] chan_sip.c: Registered SIP '{account}' at {client}:{port}"),
    "cos": (0.05, "VERBOSE[1859][C-{port:08x}] netsock2.c: Using SIP RTP CoS mark 5"),
}  # fmt: skip


def stamp(kind, moment):
    if kind == "asterisk":
        return time.strftime("[%Y-%m-%d %H:%M:%S] ", time.localtime(moment))
    return time.strftime("%b %e %H:%M:%S pbx ", time.localtime(moment))


def sshd_line(addr, moment, pid, user="root"):
    """One failed password."""
    return f"{stamp('sshd', moment)}sshd[{pid}]: Failed password for {user} from {addr} port 51234 ssh2\n"


def spread(number):
    """The number-th of distinct public-looking IPv4 addresses, scattered over 16 million in 45.0.0.0/8."""
    number = number * 0x9E3779 % (1 << 24)  # odd, so that no two numbers meet
    return f"45.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def wide():
    """Every address of IPv4 but 0/8, 10/8, 127/8 and what is above 223/8, each once, scattered."""
    for number in range(1, 1 << 32):
        number = number * 0x9E3779B1 % (1 << 32)  # odd, so that no two numbers meet
        first = number >> 24
        if 0 < first < 224 and first not in (10, 127):
            yield f"{first}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write(path, kind, lines, share, attackers=20_000, clients=200, end=None, span=172_800, seed=7):
    """Writes a log whose last line is of `end` and gives its truth, which is also at `path`.truth."""
    dice = random.Random(seed)
    bad, good = (SSHD_FAILURES, SSHD_QUIET) if kind == "sshd" else (ASTERISK_FAILURES, ASTERISK_QUIET)
    pick = {name: ([*table], [part for part, _ in table.values()]) for name, table in (("bad", bad), ("good", good))}
    friends = [f"10.20.{n >> 8}.{n & 255}" for n in range(1, clients + 1)]
    foes = [spread(n) for n in range(1, attackers + 1)]
    end = time.time() if end is None else end
    truth = {"lines": lines, "failures": 0, "kinds": dict.fromkeys(bad, 0)}
    with open(path, "w", encoding="ascii") as out:
        for start in range(0, lines, CHUNK):
            count = min(CHUNK, lines - start)
            evil = dice.choices(*pick["bad"][:1], weights=pick["bad"][1], k=count)
            dull = dice.choices(*pick["good"][:1], weights=pick["good"][1], k=count)
            rows, last, text, iso = [], None, "", ""
            for n in range(count):
                moment = int(end - span + span * (start + n + 1) / lines)
                if moment != last:
                    last, text = moment, stamp(kind, moment)
                    iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
                fields = {"pid": 1000 + dice.randrange(60_000), "port": 1024 + dice.randrange(64_000), "iso": iso,
                          "hash": f"{dice.getrandbits(64):016x}"}  # fmt: skip
                if dice.random() < share:
                    truth["failures"] += 1
                    truth["kinds"][evil[n]] += 1
                    head = f"sshd[{fields['pid']}]: " if kind == "sshd" else ""
                    line = head + bad[evil[n]][1].format(user=dice.choice(USERS), account=dice.choice(ACCOUNTS),
                                                         addr=dice.choice(foes), **fields)  # fmt: skip
                else:
                    line = good[dull[n]][1].format(account="601", client=dice.choice(friends), **fields)
                rows.append(f"{text}{line}\n")
            out.write("".join(rows))
    with open(f"{path}.truth", "w", encoding="ascii") as out:
        json.dump(truth, out)
    return truth
