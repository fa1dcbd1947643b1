"""Lists of a million addresses: how long until they are in force, beside ipset and the nft program."""

import json
import os
import shutil
import subprocess
import time

import guards

# Neither in a row nor all in one place: 32.0.0.0 and on, every 631st.
FIRST, STEP = 0x20000000, 631


def addresses(count):
    for n in range(count):
        addr = FIRST + n * STEP
        yield f"{addr >> 24}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}"


def timed(*words, text=None):
    begun = time.monotonic()
    subprocess.run(words, check=True, stdin=text)
    return time.monotonic() - begun


def sereno(work, count):
    """From the start of the program to the list in force; and a list that is replaced."""
    state = f"{work}/lists"
    shutil.rmtree(state, ignore_errors=True)
    os.makedirs(state)
    with open(f"{state}/sereno.toml", "w", encoding="ascii") as out:
        out.write(f'[list.big]\nfrom = ["{work}/big.txt"]\n')
    socket = f"{state}/socket"
    words = [guards.Sereno.binary, "run", "--config", f"{state}/sereno.toml", "--state", state, "--socket", socket]
    begun = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def in_force():
        ask = [guards.Sereno.binary, "--socket", socket, "lists", "show", "--json"]
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout) if done.returncode == 0 and done.stdout else []
        return found and found[0]["in_force"] and found[0]["addresses"]

    def wait(wanted):
        while in_force() != wanted:
            time.sleep(0.01)

    try:
        wait(count)
        first = time.monotonic() - begun
        with open(f"{work}/big.txt", "a", encoding="ascii") as out:
            out.write("203.0.113.1\n")
        begun = time.monotonic()
        subprocess.run([guards.Sereno.binary, "--socket", socket, "lists", "refresh"], check=True, stdout=subprocess.DEVNULL)
        wait(count + 1)
        again = time.monotonic() - begun
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024 / 1e6
    finally:
        process.terminate()
        process.wait()
    return {"first s": first, "replaced s": again, "MB": memory}


def lists(work, count):
    """Rows for each program."""
    what = f"list of {count:,}"
    with open(f"{work}/big.txt", "w", encoding="ascii") as out:
        out.writelines(f"{addr}\n" for addr in addresses(count))
    yield what, "sereno", sereno(work, count)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    if shutil.which("ipset"):
        with open(f"{work}/big.ipset", "w", encoding="ascii") as out:
            out.write(f"create big hash:ip hashsize 524288 maxelem {2 * count}\n")
            out.writelines(f"add big {addr}\n" for addr in addresses(count))
        with open(f"{work}/big.ipset", "rb") as text:
            yield what, "ipset restore", {"first s": timed("ipset", "restore", text=text)}
        subprocess.run(["ipset", "destroy", "big"], check=True)
    for flags, name in (("", "nft -f, hash"), ("flags interval;", "nft -f, interval")):
        with open(f"{work}/big.nft", "w", encoding="ascii") as out:
            out.write(f"add table inet big\nadd set inet big bad {{ type ipv4_addr; {flags} }}\n")
            out.write("add element inet big bad {" + ", ".join(addresses(count)) + "}\n")
        yield what, name, {"first s": timed("nft", "-f", f"{work}/big.nft")}
        subprocess.run(["nft", "delete", "table", "inet", "big"], check=True)
