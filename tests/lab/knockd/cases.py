"""What record.py asks knockd. Steps: c2:7000 is a SYN of client 2 to port 7000, v2: the same over
IPv6, /udp or /SA behind it says how, >ADDR to whom; ~0.3 waits, @0.8 waits for that part of a second;
knock=... calls the real client, scan=c2,1,9999 sends a SYN to each port."""


def door(name, sequence, *more, flags="syn", timeout=10, command=True):
    lines = [f"[{name}]", f"  sequence = {sequence}", f"  seq_timeout = {timeout}"]
    lines += [f"  tcpflags = {flags}"] if flags else []
    lines += [f"  command = echo \"{name} start %IP%\" >> {{OUT}}"] if command else []
    return "\n".join([*lines, *("  " + line for line in more)]) + "\n"


def case(name, steps="", *doors, options="", **more):
    config = "[options]\n  logfile = {LOG}\n" + options + "".join(doors or [A])
    return {"id": name, "config": config, "steps": steps, **more}


def parse(name, text, **more):
    return {"id": f"parse-{name}", "config": text, **more}


A = door("A", "7000,8000,9000")
LOGGED = "[options]\nlogfile = {LOG}\n"
BARE = LOGGED + "[A]\n"
KNOCK = "c2:7000 c2:8000 c2:9000"
PAIR = ['start_command = echo "A start %IP%" >> {OUT}', 'stop_command = echo "A stop %IP%" >> {OUT}']
GUIDE = """[options]
    logfile = {LOG}

[openSSH]
    sequence      = 7000,8000,9000
    seq_timeout   = 5
    tcpflags      = syn
    command       = echo "openSSH start %IP%" >> {OUT}

[closeSSH]
    sequence      = 9000,8000,7000
    seq_timeout   = 5
    tcpflags      = syn
    command       = echo "closeSSH start %IP%" >> {OUT}

[openHttps]
    sequence      = 7001,8001,9001
    seq_timeout   = 5
    tcpflags      = syn
    command       = echo "openHttps start %IP%" >> {OUT}

[closeHttps]
    sequence      = 9001,8001,7001
    seq_timeout   = 5
    tcpflags      = syn
    command       = echo "closeHttps start %IP%" >> {OUT}
"""

CASES = [
    case("tcp", "knock=192.0.2.1,7000,8000,9000"),
    case("client-v6", "knock=-6,2001:db8::1,7000,8000,9000"),
    case("client-delay", "knock=-d,60,192.0.2.1,7000,8000,9000"),
    case("udp", "c2:7000/udp c2:8000/udp c2:9000/udp", door("A", "7000:udp,8000:udp,9000:udp")),
    case("client-udp", "knock=-u,192.0.2.1,7000,8000,9000", door("A", "7000:udp,8000:udp,9000:udp")),
    case("mixed", "c2:7000/udp c2:8000 c2:9000/udp", door("A", "7000:udp,8000:TCP,9000 : UDP")),
    case("wrong-protocol", "c2:7000 c2:8000 c2:9000", door("A", "7000:udp,8000:udp,9000:udp")),
    case("same-port-other-protocol", "c2:7000 c2:8000/udp c2:8000 c2:9000/udp c2:9000"),
    case("other-protocol-listed", "c2:7000 c2:5000/udp c2:8000 c2:9000", A, door("X", "5000:udp,5001:udp")),
    case("backwards", "c2:9000 c2:8000 c2:7000"),
    case("foreign-between", "c2:7000 c2:1234 c2:8000 c2:4321 c2:9000"),
    case("foreign-before", "c2:1234 c2:22 c2:7000 c2:8000 c2:9000"),
    case("foreign-after-start", "c2:7000 c2:22 c2:8000 c2:9000"),
    case("foreign-udp-between", "c2:7000 c2:1234/udp c2:8000 c2:53/udp c2:9000"),
    case("other-source-between", "c2:7000 c3:1234 c2:8000 c3:9000 c2:9000"),
    case("later-port-between", "c2:7000 c2:9000 c2:8000 c2:9000"),
    case("skipped", "c2:7000 c2:9000"),
    case("other-door-between", "c2:7000 c2:6666 c2:8000 c2:9000", A, door("X", "5555,6666")),
    case("first-twice", "c2:7000 c2:7000 c2:8000 c2:9000"),
    case("first-three-times", "c2:7000 c2:7000 c2:7000 c2:8000 c2:9000"),
    case("first-four-times", "c2:7000 c2:7000 c2:7000 c2:7000 c2:8000 c2:9000"),
    case("middle-twice", "c2:7000 c2:8000 c2:8000 c2:9000"),
    case("last-twice", "c2:7000 c2:8000 c2:9000 c2:9000"),
    case("every-one-twice", "c2:7000 c2:7000 c2:8000 c2:8000 c2:9000 c2:9000"),
    case("late-repeat", "c2:7000 c2:8000 c2:7000 c2:9000"),
    case("restart-after-wrong", "c2:7000 c2:9000 c2:7000 c2:8000 c2:9000"),
    case("restart-half-way", "c2:7000 c2:8000 c2:7000 c2:8000 c2:9000"),
    case("restart-twice-half-way", "c2:7000 c2:8000 c2:7000 c2:7000 c2:8000 c2:9000"),
    case("knock-twice", f"{KNOCK} {KNOCK}"),
    case("knock-three-times-waiting", f"{KNOCK} ~0.1 {KNOCK} ~0.1 {KNOCK}"),
    case("knock-missing-last", f"c2:7000 c2:8000 {KNOCK} {KNOCK}"),
    case("flags-ignored", "c2:7000 c2:8000/A c2:8000/FA c2:8000/PA c2:8000 c2:9000/A c2:9000"),
    case("flags-synack", "c2:7000/SA c2:8000/SA c2:9000/SA"),
    case("flags-syn-and-ack", "c2:7000 c2:8000 c2:9000 c2:7000/SA c2:8000/SA c2:9000/SA", door("A", "7000,8000,9000", flags="syn,ack")),
    case("flags-not", "c2:7000/FA c2:7000/F c2:8000/FA c2:8000/F c2:9000/F", door("A", "7000,8000,9000", flags="fin,!ack")),
    case("flags-syn-not-ack", "c2:7000/SA c2:7000 c2:8000/SA c2:8000 c2:9000", door("A", "7000,8000,9000", flags="SYN,!ACK")),
    case("flags-urgent", "c2:7000/U c2:8000/UP c2:9000/UPF", door("A", "7000,8000,9000", flags="urg")),
    case("flags-psh-rst", "c2:7000/PR c2:8000/PR c2:9000/P c2:9000/PR", door("A", "7000,8000,9000", flags="psh,rst")),
    case("flags-none", "c2:7000/none c2:8000/A c2:9000/R", door("A", "7000,8000,9000", flags="")),
    case("flags-none-syn", KNOCK, door("A", "7000,8000,9000", flags="")),
    case("flags-two-doors", "c2:7000/F c2:8000/F c2:9000/F", A, door("X", "7000,8000,9000", flags="fin")),
    case("flags-differ-in-between", "c2:7000 c2:8000/F c2:8000 c2:9000", A, door("X", "7000,9000", flags="fin")),
    case("open-port-no-flags", "listen=8000 c2:7000 ~0.05 connect=8000 ~0.05 c2:9000", door("A", "7000,8000,9000", flags="")),
    case("open-port-syn", "listen=8000 c2:7000 ~0.05 connect=8000 ~0.05 c2:9000"),
    case("one-second-across", "@0.8 c2:7000 ~0.3 c2:8000", door("A", "7000,8000", timeout=1)),
    case("one-second-inside", "@0.1 c2:7000 ~0.3 c2:8000", door("A", "7000,8000", timeout=1)),
    case("two-seconds-across", "@0.8 c2:7000 ~0.9 c2:8000", door("A", "7000,8000", timeout=2)),
    case("two-seconds-too-late", "@0.8 c2:7000 ~1.3 c2:8000", door("A", "7000,8000", timeout=2)),
    case("two-seconds-beyond", "@0.1 c2:7000 ~2.2 c2:8000", door("A", "7000,8000", timeout=2)),
    case("timeout-counts-from-first", "@0.5 c2:7000 ~0.4 c2:8000 ~0.4 c2:9000", door("A", "7000,8000,9000", timeout=1)),
    case("timeout-none", KNOCK, door("A", "7000,8000,9000", timeout=0)),
    case("timeout-none-single", "c2:7000", door("A", "7000", timeout=0)),
    case("timeout-negative", KNOCK, door("A", "7000,8000,9000", timeout=-1)),
    case("timed-out-then-knock", f"@0.8 c2:7000 ~0.4 {KNOCK}", door("A", "7000,8000,9000", timeout=1)),
    case("timed-out-said-by-another", "@0.8 c2:7000 c2:8000 ~0.4 c3:7000", door("A", "7000,8000,9000", timeout=1)),
    case("two-clients-first-done", "c2:7000 c3:7000 c2:8000 c3:8000 c2:9000 c3:9000"),
    case("two-clients-second-done", "c3:7000 c2:7000 c2:8000 c3:8000 c2:9000 c3:9000"),
    case("two-clients-one-fails", "c5:7000 c2:7000 c5:9000 c2:8000 c2:9000"),
    case("three-clients", "c2:7000 c3:7000 c4:7000 c3:8000 c3:9000 c2:8000 c4:8000 c2:9000 c4:9000"),
    case("four-clients-tail-first", "c2:7000 c3:7000 c4:7000 c5:7000 c5:8000 c5:9000 c4:8000 c4:9000 c3:8000 c3:9000 c2:8000 c2:9000"),
    case("head-times-out", "@0.8 c5:7000 ~0.3 c2:7000 c2:8000 c2:9000", door("A", "7000,8000,9000", timeout=1)),
    case("stranger-between-two", "c2:7000 c4:7000 c2:8000 c4:7000 c4:8000 c2:9000"),
    case("one-address-two-clients", "c2:7000 c2:7000 c2:8000 c2:8000 c2:9000 c2:9000"),
    case("spoofed-first", "c2:7000 c2:7000 c2:8000 c2:9000"),
    case("spoofed-whole", "c77:7000 c77:8000 c77:9000"),
    case("guide-open", "c2:7000 c2:8000 c2:9000", options="", doors_only=True),
    case("shared-prefix", "c2:7000 c2:8000 c2:9001", A, door("X", "7000,8000,9001")),
    case("same-sequence", KNOCK, A, door("X", "7000,8000,9000"), door("Y", "7000,8000,9000")),
    case("prefix-first", KNOCK, door("A", "7000,8000"), door("X", "7000,8000,9000")),
    case("prefix-last", KNOCK, door("X", "7000,8000,9000"), door("A", "7000,8000")),
    case("other-door-first-eaten", "c2:7000 c2:5555 c2:6666", A, door("X", "5555,6666")),
    case("overlap", "c2:7000 c2:8000 c2:9000 c2:9500", A, door("X", "8000,9000,9500")),
    case("repeated-port", "c2:7000 c2:7000 c2:8000", door("A", "7000,7000,8000")),
    case("repeated-port-later", "c2:7000 c2:8000 c2:7000 c2:9000", door("A", "7000,8000,7000,9000")),
    case("single", "c2:7000", door("A", "7000")),
    case("single-twice", "c2:7000 c2:7000", door("A", "7000")),
    case("single-and-long", KNOCK, door("A", "7000"), door("X", "7000,8000,9000")),
    case("thirty-two", " ".join(f"c2:{p}" for p in range(7000, 7064, 2)), door("A", ",".join(str(p) for p in range(7000, 7064, 2)))),
    case("v6", "v2:7000 v2:8000 v2:9000"),
    case("v6-command", "v2:7000 v2:8000 v2:9000", A + "  command_6 = echo \"A six %IP%\" >> {OUT}\n"),
    case("v6-command-empty", "v2:7000 v2:8000 v2:9000 c2:7000 c2:8000 c2:9000", A + "  command_6 =\n"),
    case("v6-udp", "v2:7000/udp v2:8000/udp", door("A", "7000:udp,8000:udp")),
    case("v4-and-v6", "c2:7000 v2:8000 c2:9000 v2:7000 c2:8000"),
    case("v4-and-v6-beside", "c2:7000 v2:7000 c2:8000 v2:8000 v2:9000 c2:9000"),
    case("not-for-us", "c2:7000>192.0.2.9 c2:8000>192.0.2.9 c2:9000>192.0.2.9"),
    case("not-for-us-between", "c2:7000 c2:9000>192.0.2.9 c2:8000 c2:9000"),
    case("target", "c2:7000>192.0.2.9 c2:8000>192.0.2.9 c2:9000>192.0.2.9", A + "  target = 192.0.2.9\n"),
    case("target-not-local", KNOCK, A + "  target = 192.0.2.9\n"),
    case("target-beside-local", "c2:7000>192.0.2.9 c2:8000>192.0.2.9 c2:9000>192.0.2.9", A + "  target = 192.0.2.9\n", door("X", "7000,8000,9000")),
    case("target-mixed", "c2:7000>192.0.2.9 c2:8000 c2:9000>192.0.2.9 c2:8000>192.0.2.9", A + "  target = 192.0.2.9\n", door("X", "8000,9000")),
    case("stop", "c2:7000 c2:8000 ~1.3", door("A", "7000,8000", "cmd_timeout = 1", *PAIR, command=False)),
    case("stop-at-once", "c2:7000 c2:8000", door("A", "7000,8000", "cmd_timeout = 0", *PAIR, command=False)),
    case("stop-twice", "c2:7000 c2:8000 ~0.3 c2:7000 c2:8000 ~1.4", door("A", "7000,8000", "cmd_timeout = 1", *PAIR, command=False)),
    case("stop-two-clients", "c2:7000 c2:8000 ~0.3 c3:7000 c3:8000 ~1.4", door("A", "7000,8000", "cmd_timeout = 1", *PAIR, command=False)),
    case("stop-without-start", "c2:7000 c2:8000 ~0.3", door("A", "7000,8000", "cmd_timeout = 0", PAIR[1], command=False)),
    case("stop-six", "v2:7000 v2:8000 ~0.3", door("A", "7000,8000", "cmd_timeout = 0", *PAIR, 'stop_command_6 = echo "A stop6 %IP%" >> {OUT}', command=False)),
    case("no-command", "c2:7000 c2:8000 c2:9000", door("A", "7000,8000,9000", command=False)),
    case("scan-upwards", "scan=c2,6500,9500"),
    case("scan-downwards", "scan=c2,9500,6500"),
    case("scan-neighbours", "scan=c2,6900,7100", door("A", "7000,7001,7002")),
    case("scan-with-trap", "scan=c2,6500,9500", A, door("T", "7500")),
    case("one-time", "c2:7000 c2:8000 ~0.1 c2:7000 c2:8000 ~0.1 c2:7100 c2:8100 ~0.1", door("A", "1,2", "one_time_sequences = {OTS}").replace("  sequence = 1,2\n", ""),
         ots=" 7000,8000\n# 5,6\n 7100,8100\n 7200,8200\n"),
    case("one-time-other-client-on-the-way", "c2:7000 c3:7000 c2:8000 c3:8000 c3:8100", door("A", "1", "one_time_sequences = {OTS}").replace("  sequence = 1\n", ""),
         ots=" 7000,8000\n 7100,8100\n 7200,8200\n"),
    case("one-time-v6", "v2:7000 v2:8000 ~0.1 v2:8000 v2:7000 ~0.1", door("A", "1", "one_time_sequences = {OTS}").replace("  sequence = 1\n", ""),
         ots=" 7000,8000\n 8000,7000\n 7200,8200\n"),
    case("flags-other-door-waits", "c2:7000 c2:7000/F c2:9000/F", A, door("X", "7000,9000", flags="fin")),
    case("failed-then-late", "@0.8 c2:7000 c2:9000 ~0.4 c3:7000", door("A", "7000,8000,9000", timeout=1)),
    case("three-late-at-once", "@0.8 c2:7000 c3:7000 c3:8000 c4:7000 ~0.4 c5:7000 c4:8000 c4:9000", door("A", "7000,8000,9000", timeout=1)),
    case("middle-late-by-door", "@0.8 c2:7000 c3:5000 c4:7000 ~0.4 c4:8000 c4:9000 c2:8000 c2:9000", A, door("X", "5000,5001", timeout=1)),
    case("sequence-given-twice", "c2:7000 c2:8000 c2:7100 c2:8100", door("A", "7000,8000", "sequence = 7100,8100")),
    case("sequence-given-twice-shorter", "c2:7000 c2:8000 c2:9000 c2:7100 c2:8100", door("A", "7000,8000,9000", "sequence = 7100,8100")),
    case("empty-step-is-port-0", "c2:7000 c2:8000 c2:7000 c2:0 c2:8000", door("A", "7000,,8000")),
    case("trailing-comma-is-port-0", "c2:7000 c2:8000 c2:0", door("A", "7000,8000,")),
    case("negative-port", "c2:7000 c2:65535", door("A", "7000,-1")),
    case("two-colons", "c2:7000 c2:8000/udp", door("A", "7000:tcp:udp,8000:udp:tcp")),
    case("one-time-reuse-and-later-clients", "c2:7000 c3:7000 c4:7000 c4:8000 ~0.05 c2:8000 c3:7100 c3:8100 ~0.05", door("A", "1", "one_time_sequences = {OTS}").replace("  sequence = 1\n", ""),
         ots=" 7000,8000\n 7100,8100\n 7200,8200\n"),
    case("one-time-last", "c2:7000 c2:8000 ~0.1 c2:7000 c2:8000 c2:5555 c2:6666 ~0.1",
         door("A", "1", "one_time_sequences = {OTS}").replace("  sequence = 1\n", ""), door("X", "5555,6666"), ots=" 7000,8000\n"),
    case("options-usesyslog", KNOCK, options="  UseSyslog\n"),
    parse("empty", ""),
    parse("no-section", "sequence = 7000\n"),
    parse("no-sequence", BARE + "command = true\n"),
    parse("no-flags-no-command", BARE + "sequence = 1,2\n"),
    parse("flag-blank", BARE + "sequence = 1\ntcpflags = syn, ack\n"),
    parse("flag-unknown", BARE + "sequence = 1\ntcpflags = sync\n"),
    parse("flag-case", BARE + "sequence = 1\nTCPFlags = SYN,!Ack\n"),
    parse("flag-empty", BARE + "sequence = 1\ntcpflags =\n"),
    parse("comment-inline", BARE + "sequence = 1,2 # x\nseq_timeout = 5 # x\n"),
    parse("comment-inline-flag", BARE + "sequence = 1\ntcpflags = syn # x\n"),
    parse("semicolon", "; x\n" + BARE + "sequence = 1\n"),
    parse("trailing-comma", BARE + "sequence = 1,2,\n"),
    parse("empty-step", BARE + "sequence = 1,,2\n"),
    parse("sequence-empty", BARE + "sequence =\n"),
    parse("sequence-name", BARE + "sequence = ssh,http\n"),
    parse("sequence-large", BARE + "sequence = 65536\n"),
    parse("sequence-negative", BARE + "sequence = -1\n"),
    parse("sequence-icmp", BARE + "sequence = 1:icmp\n"),
    parse("sequence-protocol-empty", BARE + "sequence = 1:\n"),
    parse("sequence-two-colons", BARE + "sequence = 1:tcp:udp\n"),
    parse("sequence-33", BARE + "sequence = " + ",".join(["1"] * 33) + "\n"),
    parse("sequence-32", BARE + "sequence = " + ",".join(["1"] * 32) + "\n"),
    parse("sequence-twice", BARE + "sequence = 1\nsequence = 2,3\n"),
    parse("options-case", "[Options]\nlogfile = /tmp/x\n"),
    parse("unknown-key", BARE + "sequence = 1\nport = 22\n"),
    parse("key-in-options", "[options]\nsequence = 1\n"),
    parse("interface-in-door", BARE + "sequence = 1\ninterface = eth0\n"),
    parse("usesyslog-value", "[options]\nUseSyslog = yes\n"),
    parse("usesyslog-in-door", BARE + "UseSyslog\nsequence = 1\n"),
    parse("wrapped", BARE + "sequence = 1\ncommand = a -j\nACCEPT\n"),
    parse("bracket-open", "[A\nsequence = 1\n"),
    parse("section-blanks", LOGGED + "[ A b ]\nsequence = 1\n"),
    parse("section-empty", LOGGED + "[]\nsequence = 1\n"),
    parse("same-name-twice", LOGGED + "[A]\nsequence = 1\n[A]\nsequence = 2\n"),
    parse("aliases", BARE + "SEQUENCE = 1\nTimeout = 5\nCommand = a\nStart_Command_6 = b\nStop_Command = c\nstop_command_6 =\n"),
    parse("timeout-word", BARE + "sequence = 1\nseq_timeout = ten\ncmd_timeout = x\n"),
    parse("timeout-empty", BARE + "sequence = 1\nseq_timeout =\n"),
    parse("target-name", BARE + "sequence = 1\ntarget = localhost\n"),
    parse("target-wrong", BARE + "sequence = 1\ntarget = 1.2.3\n"),
    parse("ots-missing", BARE + "one_time_sequences = /nonexistent/ots\n"),
    parse("ots-empty", BARE + "one_time_sequences = {OTS}\n", ots=""),
    parse("ots-comments-only", BARE + "one_time_sequences = {OTS}\n", ots="# 1,2\n"),
    parse("ots-wrong", BARE + "one_time_sequences = {OTS}\n", ots=" 1:icmp\n"),
    parse("crlf", (BARE + "sequence = 1\n").replace("\n", "\r\n")),
    parse("tabs", LOGGED + "[A]\n\tsequence\t=\t1 , 2\n"),
    parse("no-door", "[options]\nlogfile = {LOG}\n"),
    parse("equals-in-command", BARE + "sequence = 1\ncommand = a=b c=d\n"),
    parse("nothing-behind-key", BARE + "sequence\n"),
    parse("logfile-in-door", BARE + "sequence = 1\nlogfile = /tmp/x\n"),
    parse("start-and-command", BARE + "sequence = 1\nstart_command = a\ncommand = b\n"),
]

for number, found in enumerate(CASES):
    if found.pop("doors_only", None):
        CASES[number] = {"id": found["id"], "config": GUIDE, "steps": "c2:7000 c2:8000 c2:9000 c2:9001 c2:8001 c2:7001 c2:9000 c2:8000 c2:7000 c2:7001 c2:8001 c2:9001"}
