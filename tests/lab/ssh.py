"""Real ssh clients at the lab's sshd, from any address of the clients' blocks."""

import os
import subprocess

import net as lab_net
from servers import SSH_PASSWORD, SSH_USER

_OPTIONS = (
    "-F", "none", "-T", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no",
    "-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password",
    "-o", "NumberOfPasswordPrompts=1", "-o", "ConnectTimeout=3",
)  # fmt: skip


def login(lab, source, user=SSH_USER, password=SSH_PASSWORD, role="sshsrv", options=()):
    """Tries once; whether a command ran on the other side."""
    server = lab_net.server_address(role, lab_net.family_of(source))
    words = ["sshpass", "-p", password, "ssh", *_OPTIONS, *options, "-b", source, "-l", user, server, "echo in"]
    return _run(lab, source, words).strip() == "in"


def _run(lab, source, words, **environment):
    """What a client printed; nothing when it was shut out in the middle and waits for ever."""
    try:
        done = subprocess.run(
            lab.command(lab.role_of(source), *words), env={**os.environ, **environment}, timeout=6,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def login_any_name(lab, source, user, password="wrong", role="sshsrv"):
    """Tries once with dropbear's client, which sends any user name; OpenSSH's own refuses odd ones."""
    server = lab_net.server_address(role, lab_net.family_of(source))
    words = ["dbclient", "-y", "-y", "-T", "-b", source, "-l", user, server, "true"]
    _run(lab, source, words, DROPBEAR_PASSWORD=password)
