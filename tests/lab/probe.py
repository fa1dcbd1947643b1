"""Does a packet of this source still get an answer? The question every test of a ban comes down to."""

import socket

import net as lab_net
from sip import Client


def sip_answers(lab, source, role, port=5060, transport="udp", seconds=1.5):
    """Whether an OPTIONS from an address is answered at all, with whatever status.

    It speaks as an account that exists: from a stranger's name PJSIP would log the probe as an attack.
    """
    user = "100" if (role, port) == ("srv16", 5060) else "600"
    server = lab_net.server_address(role, lab_net.family_of(source))
    try:
        with Client(lab, source, server, port, transport, timeout=seconds) as client:
            me = f"<sip:{user}@{client.domain}>"
            return client.request("OPTIONS", f"sip:{client.domain}", from_=me, to=me) is not None
    except OSError:
        return False


def tcp_connects(lab, source, role, port, seconds=1.5):
    """Whether a TCP connection from an address to a port of a server comes about."""
    server = lab_net.server_address(role, lab_net.family_of(source))
    with lab.socket(source, socket.SOCK_STREAM, timeout=seconds) as sock:
        try:
            sock.connect((server, port))
            return True
        except OSError:
            return False
