"""A tiny syslog daemon: takes datagrams as /dev/log does and writes the file rsyslog would write.

Two forms of line, as Debian's rsyslog has them (before and since Debian 12):
  bsd  "Nov 22 15:22:38 pbx sshd[71]: text"
  iso  "2026-11-22T15:22:38.500123+00:00 pbx sshd[71]: text"
Control characters become #ooo (octal), as rsyslog's $EscapeControlCharactersOnReceive does.
"""

import datetime
import os
import re
import socket
import threading

_PRIORITY = re.compile(rb"<\d{1,3}>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def _stamp(form, now):
    if form == "iso":
        return now.isoformat(timespec="microseconds")
    return now.strftime("%b ") + f"{now.day:2d}" + now.strftime(" %H:%M:%S")


class SyslogFile:
    """Receives at socket_path, appends to path, until close()."""

    def __init__(self, socket_path, path, form="bsd", host="pbx"):
        self.path, self.form, self.host = path, form, host
        self._lock = threading.Lock()
        self._file = open(path, "ab", buffering=0)
        os.chmod(path, 0o640)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(socket_path)
        os.chmod(socket_path, 0o666)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self):
        while True:
            datagram = self._socket.recv(65536)
            if not datagram:
                return
            text = _PRIORITY.sub(b"", datagram, count=1).rstrip(b"\n\0")
            text = _CONTROL.sub(lambda found: b"#%03o" % found[0][0], text)
            now = datetime.datetime.now(datetime.timezone.utc)
            with self._lock:
                self._file.write(f"{_stamp(self.form, now)} {self.host} ".encode() + text + b"\n")

    def rotate_by_rename(self):
        """As logrotate does by default: the old file moves to PATH.1, the daemon opens a new one."""
        os.rename(self.path, self.path + ".1")
        self.reopen()

    def reopen(self):
        """As rsyslog on SIGHUP: from here on lines go to whatever file has the name."""
        with self._lock:
            self._file.close()
            self._file = open(self.path, "ab", buffering=0)

    def rotate_by_truncation(self):
        """As logrotate's copytruncate does: same inode, emptied. The copy is PATH.1.

        The lock stands for the moment copytruncate cannot have: nothing written between copy and truncation,
        so that a test that misses a line has found a fault of the reader.
        """
        with self._lock:
            with open(self.path, "rb") as old, open(self.path + ".1", "wb") as copy:
                copy.write(old.read())
            os.truncate(self.path, 0)

    def close(self):
        """Ends the thread. An empty datagram to oneself is the wake-up."""
        waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        waker.connect(self._socket.getsockname())
        waker.send(b"")
        waker.close()
        self._thread.join(2)
        self._socket.close()
        self._file.close()
