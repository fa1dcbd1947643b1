"""Sereno's failure patterns as the plain regexes other programs take."""

import pathlib
import re
import tomllib

# What the rules' own words stand for.
WORDS = {
    "addr": r"\[?[0-9A-Fa-f:.]+\]?", "port": "[0-9]{1,5}", "user": ".*", "text": ".*", "session": '[^"]*',
    "times": "[0-9]+",
}  # fmt: skip
HEADS = {
    "sshd": r"(?:sshd|sshd-session|sshd-auth)\[[0-9]+\]: ",
    "asterisk": r"\[[0-9]+\](?:\[C-[0-9a-f]+\])? [a-z0-9_/]+(?:\.c)?: ",
}
# Patterns for only what stands in the logs of this bench, as a person would write them.
FEW = {
    "sshd": [
        r"sshd\[[0-9]+\]: Failed password for (?:invalid user )?.* from [0-9a-fA-F:.]+ port [0-9]+",
        r"sshd\[[0-9]+\]: Invalid user .* from [0-9a-fA-F:.]+ port [0-9]+",
        r"sshd\[[0-9]+\]: Connection closed by authenticating user .* [0-9a-fA-F:.]+ port [0-9]+ \[preauth\]",
        r"sshd\[[0-9]+\]: pam_unix\(sshd:auth\): authentication failure; .* rhost=[0-9a-fA-F:.]+",
    ],
    "asterisk": [
        r'SecurityEvent="(?:FailedACL|InvalidAccountID|ChallengeResponseFailed|InvalidPassword)",.*'
        r'RemoteAddress="IPV[46]/[A-Z]+/[0-9a-fA-F:.]+/[0-9]+"',
        r"Registration from '.*' failed for '[0-9a-fA-F:.]+:[0-9]+' - ",
        r"Request '[A-Z]+' from '.*' failed for '[0-9a-fA-F:.]+:[0-9]+' \(callid: [^)]*\) - ",
    ],
}
# The same for fail2ban-rs, which wants no alternation around what it looks for and names the address itself.
HOST = {
    "sshd": [
        r"sshd\[\d+\]: Failed password for .* from <HOST> port \d+",
        r"sshd\[\d+\]: Invalid user .* from <HOST> port \d+",
        r"sshd\[\d+\]: Connection closed by authenticating user .* <HOST> port \d+",
        r"sshd\[\d+\]: pam_unix\(sshd:auth\): authentication failure; .* rhost=<HOST>",
    ],
    "asterisk": [
        *(rf'SecurityEvent="{event}",.*RemoteAddress="IPV4/UDP/<HOST>/\d+"'
          for event in ("FailedACL", "InvalidAccountID", "ChallengeResponseFailed", "InvalidPassword")),
        r"Registration from '.*' failed for '<HOST>:\d+' - ",
        r"Request '[A-Z]+' from '.*' failed for '<HOST>:\d+' \(callid: [^)]*\) - ",
    ],
}  # fmt: skip


def of_rule(folder, name):
    """Every failure pattern of a rule, with what extends it, that is about one line."""
    rules = [tomllib.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.toml"))]
    (base,) = (rule for rule in rules if rule.get("name") == name)
    files = [base, *(rule for rule in rules if rule.get("extends") == name)]
    return [f"{HEADS[name]}(?:{regex})$" for file in files for regex in _plain(file, base)]


def _plain(file, base):
    words = {**WORDS, **base.get("define", {}), **file.get("define", {})}
    for pattern in file["pattern"]:
        text = pattern["regex"]
        if pattern["kind"] != "failure" or r"\n--" in text:
            continue
        for _ in range(9):
            text = re.sub(r"(?<!\?P)<([a-z0-9]+)>", lambda m: words.get(m[1], m[0]), text)
        yield re.sub(r"\(\?P<[a-z0-9]+>", "(?:", text)
