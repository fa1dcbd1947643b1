#!/usr/bin/env python3
"""Asks the real fwknop. Both answers are JSON on standard output.

    real.py client             packets of the real client, with what it was told
    real.py server < CASES     what the real fwknopd makes of packets

CASES is {"access": text of access.conf, "conf": text of fwknopd.conf, "packets": [[name, address,
packet], ...]}; the answer is {name: the rules that appeared for the address}. The server runs in a
network namespace of its own, where the packets go over the loopback interface; it needs root,
fwknopd and iptables. The client sends nothing.
"""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

KEY = base64.b64encode(bytes(range(1, 33))).decode()
HMAC = base64.b64encode(bytes(range(64))).decode()
DIGESTS = ["MD5", "SHA1", "SHA256", "SHA384", "SHA512", "SHA3_256", "SHA3_512"]
TO = ["-A", "tcp/22", "-a", "192.0.2.7"]


def asked():
    """Name, arguments, cipher mode, key of HMAC, its digest, key of the cipher."""
    b64 = lambda text: base64.b64encode(text).decode()
    plain = lambda name, args, mode="cbc", hmac=HMAC, digest="SHA256", key=KEY: (
        name, args, mode, hmac, digest, key)
    yield plain("access", TO)
    yield plain("no hmac", TO, hmac=None)
    yield plain("ports", ["-A", "tcp/22,udp/53,tcp/443", "-a", "198.51.100.9"])
    yield plain("source", ["-A", "tcp/22", "-s"])
    yield plain("timeout", TO + ["-f", "60"])
    yield plain("user", TO + ["-U", "alice.b"])
    yield plain("nat", TO + ["-N", "192.168.10.2,55000"])
    yield plain("nat timeout", TO + ["-N", "192.168.10.2,55000", "-f", "90"])
    yield plain("nat local", TO + ["--nat-local", "--nat-port", "55000"])
    yield plain("nat local timeout", TO + ["--nat-local", "--nat-port", "55000", "-f", "77"])
    yield plain("command", ["-a", "192.0.2.7", "-C", "id > /tmp/x; echo a:b, c"])
    for digest in DIGESTS:
        yield plain("digest " + digest, TO + ["-m", digest])
        yield plain("hmac " + digest, TO, digest=digest)
    for mode in ["cbc", "ctr", "cfb", "ofb", "ecb"]:
        yield plain("mode " + mode, TO, mode)
    yield plain("legacy", TO, "legacy", hmac=None)
    yield plain("legacy short key", TO, "legacy", hmac=None, key=b64(b"abcde"))
    for size in (1, 15, 31, 32):
        yield plain(f"key of {size}", TO, key=b64(bytes([200]) * size))
    for size in (1, 63, 64, 65, 128):
        yield plain(f"hmac key of {size}", TO, hmac=b64(bytes([7]) * size))


def client():
    answers = []
    with tempfile.TemporaryDirectory() as home:
        saved = home + "/packet"
        for name, args, mode, hmac, digest, key in asked():
            command = ["fwknop", "-T", "-B", saved, "-D", "127.0.0.1", "--no-rc-file"]
            command += ["--key-base64-rijndael", key, "-M", mode, *args]
            if hmac:
                command += ["--use-hmac", "--key-base64-hmac", hmac, "--hmac-digest-type", digest]
            done = subprocess.run(command, env={**os.environ, "HOME": home, "SPOOF_USER": "root"},
                                  capture_output=True, text=True, timeout=20)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr}{done.stdout}")
            with open(saved) as file:
                packet = file.read().strip()
            os.remove(saved)
            answers.append({"name": name, "args": args, "mode": mode, "key": key, "hmac": hmac,
                            "digest": digest, "packet": packet})
        command = ["fwknop", "-n", "home", "--save-rc-stanza", "--rc-file", home + "/rc", "-T",
                   "-D", "spa.example.org", "-A", "tcp/22,udp/5060", "-a", "192.0.2.7", "-f", "120",
                   "--use-hmac", "--key-base64-rijndael", KEY, "--key-base64-hmac", HMAC,
                   "--hmac-digest-type", "SHA512", "-U", "alice", "-p", "62202", "-M", "ctr"]
        subprocess.run(command, env={**os.environ, "HOME": home}, capture_output=True, timeout=20)
        with open(home + "/rc") as file:
            stanza = file.read()
    return {"rc": stanza[stanza.index("[home]"):], "packets": answers}


def rules(within=()):
    return subprocess.run([*within, "iptables", "-w", "-S"], capture_output=True, text=True).stdout


@contextlib.contextmanager
def daemon(folder, access, conf, within=()):
    """fwknopd while it hears packets; the words of `within` stand in front of its command."""
    for name, text in (("access", access), ("conf", conf)):
        with open(f"{folder}/{name}", "w", opener=lambda path, how: os.open(path, how, 0o600)) as file:
            file.write(text)
    command = [*within, "fwknopd", "-f", "-c", folder + "/conf", "-a", folder + "/access", "-r", folder,
               "-d", folder + "/digests", "-p", folder + "/pid"]
    with open(folder + "/log", "w") as log:
        guard = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.time() + 20
        while "FWKNOP_INPUT" not in rules(within) and time.time() < end:
            time.sleep(0.1)
        time.sleep(0.5)
        yield guard
    finally:
        guard.terminate()
        guard.wait(10)


def server(cases):
    if os.environ.get("REAL_NETNS") != "own":
        command = ["unshare", "--net", "--mount", sys.executable, os.path.abspath(__file__), "server"]
        done = subprocess.run(command, input=json.dumps(cases), text=True, stdout=subprocess.PIPE,
                              env={**os.environ, "REAL_NETNS": "own"}, timeout=110)
        sys.exit(done.stdout) if done.returncode else None
        return json.loads(done.stdout)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        with daemon(folder, cases["access"], cases["conf"]):
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            answers = {}
            for name, address, packet in cases["packets"]:
                before = rules().count(f" {address}/32 ")
                out.sendto(packet.encode(), ("127.0.0.1", 62201))
                end = time.time() + 1.2
                # Rules come one after the other; a packet asks for two of them here.
                while rules().count(f" {address}/32 ") < before + 2 and time.time() < end:
                    time.sleep(0.05)
                mine = [rule for rule in rules().splitlines() if f" {address}/32 " in rule]
                answers[name] = mine[before:]
        if not any(answers.values()):
            with open(folder + "/log") as log:
                sys.stderr.write(log.read())
    return answers


if __name__ == "__main__":
    print(json.dumps(client() if sys.argv[1] == "client" else server(json.load(sys.stdin)), indent=1))
