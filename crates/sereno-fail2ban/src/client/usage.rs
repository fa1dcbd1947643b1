//! What `-h` prints: the layout of `fail2ban-client -h`, in our words.

use super::args::Program;
use crate::VERSION;

const OPTIONS: &[(&str, &str)] = &[
    ("-c, --conf <DIR>", "the configuration's directory"),
    ("-s, --socket <FILE>", "Sereno's control socket"),
    ("-p, --pidfile <FILE>", "accepted; Sereno needs none"),
    ("--pname <NAME>", "accepted; Sereno has its own name"),
    ("--loglevel <LEVEL>", "how much is logged"),
    ("--logtarget <TARGET>", "where to: a file, stdout, stderr, syslog or sysout"),
    ("--syslogsocket auto|<FILE>", ""),
    ("-d", "print the configuration as commands"),
    ("--dp, --dump-pretty", "the same, easier to read"),
    ("-t, --test", "check the configuration and say what is wrong with it"),
    ("-i", "read commands from standard input"),
    ("-v", "say more"),
    ("-q", "say less"),
    ("-x", "accepted; a socket that is left over does not matter"),
    ("-b", "start in the background (default)"),
    ("-f", "start in the foreground"),
    ("--async", "accepted"),
    ("--timeout", "how long to wait for an answer"),
    ("--str2sec <STRING>", "print a length of time in seconds"),
    ("-h, --help", "print this"),
    (
        "-V, --version",
        "print the version of fail2ban whose place this takes (-V: the number alone)",
    ),
];

/// Commands and what they do; a heading has no command.
const COMMANDS: &[(&str, &str)] = &[
    ("", "BASIC"),
    ("start", "says how Sereno is started"),
    ("restart", "lets all jails begin anew, with the configuration as it is now"),
    (
        "restart [--unban] [--if-exists] <JAIL>",
        "the same for one jail; short for 'reload --restart <JAIL>'",
    ),
    (
        "reload [--restart] [--unban] [--all]",
        "reads the configuration again; with '--restart' jails begin anew, with '--unban' their bans are lifted before",
    ),
    ("reload [--restart] [--unban] [--if-exists] <JAIL>", "the same for one jail"),
    ("stop", "ends all jails and Sereno"),
    ("unban --all", "lifts every ban of every jail"),
    ("unban <IP> ... <IP>", "lifts the bans of <IP> in every jail"),
    ("banned", "lists who is banned, by jail"),
    ("banned <IP> ... <IP>", "lists the jails in which each <IP> is banned"),
    ("status", "names the jails"),
    ("status --all [FLAVOR]", "shows each of them"),
    ("statistics", "shows what each of them counted, as a table; 'stats' for short"),
    ("ping", "asks whether Sereno answers"),
    ("echo", "prints what it is given"),
    ("version", "prints the version of fail2ban whose place this takes"),
    ("", "LOGGING"),
    (
        "set loglevel <LEVEL>",
        "logs from <LEVEL> on: CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG, TRACEDEBUG, HEAVYDEBUG or a number (50 to 5)",
    ),
    ("get loglevel", "shows the level"),
    ("set logtarget <TARGET>", "logs to STDOUT, STDERR, SYSLOG, SYSTEMD-JOURNAL or a file"),
    ("get logtarget", "shows the target"),
    ("set syslogsocket auto|<SOCKET>", "where syslog listens"),
    ("get syslogsocket", "shows it"),
    ("flushlogs", "opens the log again, after it was rotated"),
    ("", "DATABASE"),
    ("set dbfile <FILE>", "refused while there are jails"),
    ("get dbfile", "shows where bans are kept"),
    ("set dbmaxmatches <INT>", "keeps <INT> lines of each ban"),
    ("get dbmaxmatches", "shows how many"),
    ("set dbpurgeage <SECONDS>", "keeps bans of the past for <SECONDS>"),
    ("get dbpurgeage", "shows how long"),
    ("", "JAIL CONTROL"),
    ("add <JAIL> <BACKEND>", "adds an empty jail"),
    ("start <JAIL>", "lets a jail guard"),
    ("stop <JAIL>", "ends a jail and takes it away"),
    (
        "status <JAIL> [FLAVOR]",
        "shows what a jail reads, whom it watches and whom it banned; <FLAVOR> is basic or short",
    ),
    ("", "JAIL CONFIGURATION"),
    ("set <JAIL> idle on|off", "lets a jail rest"),
    ("set <JAIL> ignoreself true|false", "leaves own addresses alone"),
    ("set <JAIL> addignoreip <IP>", "leaves <IP> alone"),
    ("set <JAIL> delignoreip <IP>", "leaves <IP> alone no longer"),
    ("set <JAIL> ignorecommand <VALUE>", "asks a command whom to leave alone"),
    ("set <JAIL> ignorecache <VALUE>", "how its answers are kept"),
    (
        "set <JAIL> addlogpath <FILE> ['tail']",
        "reads <FILE> too; with 'tail' only what is written from now on",
    ),
    ("set <JAIL> dellogpath <FILE>", "reads <FILE> no longer"),
    ("set <JAIL> logencoding <ENCODING>", "the character set of its logs"),
    ("set <JAIL> addjournalmatch <MATCH>", "reads more of the journal"),
    ("set <JAIL> deljournalmatch <MATCH>", "reads less of it"),
    ("set <JAIL> addfailregex <REGEX>", "what a failure looks like, besides the others"),
    ("set <JAIL> delfailregex <INDEX>", "takes one away; the first is 0"),
    ("set <JAIL> addignoreregex <REGEX>", "what is no failure, besides the others"),
    ("set <JAIL> delignoreregex <INDEX>", "takes one away"),
    ("set <JAIL> findtime <TIME>", "how long failures count"),
    ("set <JAIL> bantime <TIME>", "how long bans last; -1 for ever"),
    ("set <JAIL> datepattern <PATTERN>", "what dates look like"),
    ("set <JAIL> usedns <VALUE>", "whether names are looked up"),
    ("set <JAIL> attempt <IP> [<failure1> ... <failureN>]", "counts failures of <IP>"),
    ("set <JAIL> banip <IP> ... <IP>", "bans <IP>"),
    ("set <JAIL> unbanip [--report-absent] <IP> ... <IP>", "lifts the ban of <IP>"),
    ("set <JAIL> maxretry <RETRY>", "how many failures lead to a ban"),
    ("set <JAIL> maxmatches <INT>", "how many lines are kept of each"),
    ("set <JAIL> maxlines <LINES>", "how many lines are looked at together"),
    ("set <JAIL> addaction <ACT>", "adds an action without commands"),
    ("set <JAIL> delaction <ACT>", "takes an action away"),
    ("", "COMMAND ACTION CONFIGURATION"),
    ("set <JAIL> action <ACT> actionstart <CMD>", "what runs before the first ban"),
    ("set <JAIL> action <ACT> actionstop <CMD>", "what runs at the end"),
    ("set <JAIL> action <ACT> actioncheck <CMD>", "what runs to see whether all is in place"),
    ("set <JAIL> action <ACT> actionban <CMD>", "what bans"),
    ("set <JAIL> action <ACT> actionunban <CMD>", "what lifts a ban"),
    ("set <JAIL> action <ACT> timeout <TIMEOUT>", "how long commands may take, in seconds"),
    ("", "GENERAL ACTION CONFIGURATION"),
    ("set <JAIL> action <ACT> <PROPERTY> <VALUE>", "any other property"),
    ("", "JAIL INFORMATION"),
    ("get <JAIL> banned", "lists who is banned"),
    ("get <JAIL> banned <IP> ... <IP>", "1 for each <IP> that is banned, 0 for others"),
    ("get <JAIL> logpath", "the files it reads"),
    ("get <JAIL> logencoding", "the character set of its logs"),
    ("get <JAIL> journalmatch", "what it reads of the journal"),
    ("get <JAIL> ignoreself", "whether own addresses are left alone"),
    ("get <JAIL> ignoreip", "who is left alone"),
    ("get <JAIL> ignorecommand", "the command that is asked"),
    ("get <JAIL> failregex", "what failures look like"),
    ("get <JAIL> ignoreregex", "what is none"),
    ("get <JAIL> findtime", "how long failures count"),
    ("get <JAIL> bantime", "how long bans last"),
    ("get <JAIL> datepattern", "what dates look like"),
    ("get <JAIL> usedns", "whether names are looked up"),
    (
        "get <JAIL> banip [<SEP>|--with-time]",
        "lists who is banned, in the order in which bans end; <SEP> stands between them",
    ),
    ("get <JAIL> maxretry", "how many failures lead to a ban"),
    ("get <JAIL> maxmatches", "how many lines are kept of each"),
    ("get <JAIL> maxlines", "how many lines are looked at together"),
    ("get <JAIL> actions", "its actions"),
    ("", "ACTION INFORMATION"),
    ("get <JAIL> actionproperties <ACT>", "names an action's properties"),
    ("get <JAIL> actionmethods <ACT>", "names what fail2ban's actions can do"),
    ("get <JAIL> action <ACT> <PROPERTY>", "the value of a property"),
];

/// Columns: where descriptions of commands begin, and how wide they are.
const BEGIN: usize = 45;
const WIDTH: usize = 34;

/// The help text of a program.
pub(crate) fn text(program: Program) -> String {
    let name = program.name();
    let command = if program == Program::Client { " <COMMAND>" } else { "" };
    let mut text = format!("Usage: {name} [OPTIONS]{command}\n\n");
    text +=
        &format!("Sereno in the place of Fail2Ban v{VERSION}: it reads logs, counts who fails,\n");
    text += "and bans who fails too often.\n\nOptions:\n";
    for (option, what) in OPTIONS {
        text += format!("    {option:<23} {what}").trim_end();
        text += "\n";
    }
    if program == Program::Client {
        text += "\nCommand:\n";
        for (at, (command, what)) in COMMANDS.iter().enumerate() {
            if at > 0 && command.is_empty() {
                text.push('\n');
            }
            entry(&mut text, command, what);
        }
    }
    text
}

/// A command and what it does, beside it or, if it is long, below.
fn entry(text: &mut String, command: &str, what: &str) {
    let mut begin = format!("    {command}");
    if begin.len() >= BEGIN {
        *text += &format!("{begin}\n");
        begin.clear();
    }
    let mut line = String::new();
    for word in what.split(' ').chain([""]) {
        if word.is_empty() || line.len() + 1 + word.len() > WIDTH && !line.is_empty() {
            *text += &format!("{begin:BEGIN$}{line}\n");
            begin.clear();
            line.clear();
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
}
