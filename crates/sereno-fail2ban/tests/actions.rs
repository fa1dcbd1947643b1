//! The stock actions, judged; and what people make of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads real files"
)]

mod acts;

use acts::{EXPECTED, STOCK, installed, judged, real};
use sereno_fail2ban::act::{Kind, Operation, acts};
use sereno_fail2ban::{Family, Files, read};
use std::path::Path;

fn shown(kind: &Kind) -> String {
    match kind {
        Kind::Gate(c) => format!("gate {} {:?} {}", c.ports, c.block, c.chain),
        Kind::Refused(refused) if refused.instead.is_empty() => "refused".to_owned(),
        Kind::Refused(refused) => format!("refused: {}", refused.instead),
        Kind::Command(commands) if commands.lasting() => "command".to_owned(),
        Kind::Command(_) => "message".to_owned(),
    }
}

fn one(options: &str, files: &[(&str, &str)]) -> (String, String) {
    let acts = judged(options, files);
    let problems: Vec<String> = acts.problems.iter().map(ToString::to_string).collect();
    (shown(&acts.actions[0].1), problems.join("\n"))
}

#[test]
fn every_stock_action_is_what_it_is_known_for() {
    if !installed() {
        return;
    }
    let mut wrong = Vec::new();
    for (file, wanted) in EXPECTED {
        // As jails give them; the older files are for ssh if nobody says.
        let options = "port=\"ssh\", protocol=\"tcp\"";
        let (kind, problems) = one(&format!("action = {file}[name=j, {options}]"), &[]);
        let quiet = problems.is_empty()
            || ["iptables-multiport-log", "firewallcmd-rich-logging", "smtp.py"].contains(&file);
        if kind != wanted || !quiet {
            wrong.push(format!("{file}: {kind}, not {wanted}\n{problems}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if real() != STOCK {
        return;
    }
    let there = std::fs::read_dir(Path::new(STOCK).join("action.d")).unwrap();
    let names = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut unknown: Vec<String> = names
        .map(|name| name.strip_suffix(".conf").unwrap_or(&name).to_owned())
        .filter(|name| !EXPECTED.iter().any(|(file, _)| file == name))
        .collect();
    unknown.sort();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn ports_protocols_and_blocktypes_arrive() {
    if !installed() {
        return;
    }
    for (action, wanted) in [
        (
            "iptables-multiport[port=\"http,https,8000:8100\", protocol=\"tcp,udp\", blocktype=DROP]",
            "gate tcp/80, tcp/443, tcp/8000-8100, udp/80, udp/443, udp/8000-8100 Drop INPUT",
        ),
        (
            "nftables[type=multiport, port=\"sip,5061\", protocol=\"udp,tcp\", blocktype=drop]",
            "gate tcp/5060-5061, udp/5060-5061 Drop f2b-chain",
        ),
        (
            "nftables[type=allports, protocol=\"udp,tcp\"]",
            "gate tcp/0-65535, udp/0-65535 Reject f2b-chain",
        ),
        ("iptables-allports[protocol=all, chain=DOCKER-USER]", "gate all Reject DOCKER-USER"),
        (
            "iptables[port=2222, blocktype=\"REJECT --reject-with tcp-reset\"]",
            "gate tcp/2222 Reset INPUT",
        ),
        ("iptables-multiport[port=\"0:65535\"]", "gate tcp/0-65535 Reject INPUT"),
        (
            "firewallcmd-rich-rules[port=\"ssh, http\", protocol=udp]",
            "gate udp/22, udp/80 Reject rich rule",
        ),
        (
            "firewallcmd-ipset[ipsettype=firewalld, actiontype=<allports>]",
            "gate tcp/0-65535 Reject INPUT_direct",
        ),
        ("ufw[blocktype=deny, kill-mode=conntrack]", "gate all Drop ufw"),
        (
            "nftables-multiport[port=ssh, blocktype=\"reject with tcp reset\"]",
            "gate tcp/22 Reset f2b-chain",
        ),
    ] {
        assert_eq!(
            one(&format!("action = {action}"), &[]),
            (wanted.to_owned(), String::new()),
            "{action}"
        );
    }
}

/// As the files of release 1.1 do it: a set with options, and a question which protocols are meant.
#[test]
fn what_newer_releases_ask_is_known() {
    let start = "actionstart = nft add table inet f\n  nft -- add chain inet f c \\{ type filter hook input priority -1 \\; \\}\n  \
                 nft add set inet f s \\{ type ipv4_addr\\; flags interval\\; \\}\n  \
                 if [ '<protocol>' != \"all\" ]; then\n  for p in $(echo '<protocol>' | sed 's/,/ /g'); do\n  \
                 nft add rule inet f c $p dport \\{ <port> \\} ip saddr @s <block>\n  done\n  else\n  \
                 nft add rule inet f c th dport \\{ <port> \\} ip saddr @s <block>\n  fi\n\
                 actionstop = nft delete table inet f || { sleep 1; nft delete table inet f; }\n";
    let file = format!(
        "[Definition]\n{start}actionban = nft add element inet f s \\{{ <ip> \\}}\n[Init]\nblock = drop\n"
    );
    let other = file.replace("!= \"all\"", "= \"all\"");
    let asked = |options: &str, text: &str| {
        one(&format!("action = nftables[{options}]"), &[("action.d/nftables.conf", text)]).0
    };
    for (options, wanted) in [
        ("protocol=tcp, port=22", "gate tcp/22 Drop c"),
        (
            "protocol=\"tcp,udp\", port=\"22,5060\"",
            "gate tcp/22, tcp/5060, udp/22, udp/5060 Drop c",
        ),
        ("protocol=all, port=22", "gate tcp/22, udp/22 Drop c"),
    ] {
        assert_eq!(asked(options, &file), wanted, "{options}");
    }
    // Who asks otherwise is not understood, and what he wrote is run.
    assert_eq!(asked("protocol=tcp, port=22", &other), "message");
}

#[test]
fn what_differs_from_a_stock_action_is_run_as_it_is_written() {
    if !installed() {
        return;
    }
    for (file, text) in [
        (
            "iptables-multiport",
            "actionban = <iptables> -I f2b-<name> 1 -s <ip> -j <blocktype>\n  /usr/local/bin/tell <ip>",
        ),
        ("iptables-multiport", "actionban = <iptables> -I f2b-<name> 1 -s <ip>/24 -j <blocktype>"),
        (
            "iptables-multiport",
            "actionban = <iptables> -I f2b-<name> 1 -s <ip> -i eth1 -j <blocktype>",
        ),
        ("iptables-multiport", "actionban = <iptables> -I other 1 -s <ip> -j <blocktype>"),
        ("iptables-multiport", "actionban = <iptables> -I f2b-<name> 1 -s <ip> -j TARPIT"),
        (
            "iptables-multiport",
            "actionunban = <iptables> -D f2b-<name> -s <ip> -j <blocktype>; logger <ip>",
        ),
        ("iptables-allports", "actionstart = <iptables> -N f2b-<name>"),
        (
            "iptables-allports",
            "actionban = <iptables> -I f2b-<name> 1 -s <ip> -j <blocktype>; echo <ip> >> /tmp/list",
        ),
        ("nftables", "actionban = nft add element inet mine blocked \\{ <ip> \\}"),
        ("nftables", "x = y\n[Init]\nblocktype = queue"),
        ("nftables", "rule_match-multiport = iif eth0 tcp dport 22"),
        ("ufw", "actionban = ufw insert 1 deny from <ip> to any port 22"),
        ("iptables", "x = y\n[Init]\nreturntype = DROP"),
        (
            "iptables",
            "actionban = if [ <failures> -gt 9 ]; then <iptables> -I f2b-<name> 1 -s <ip> -j DROP; fi",
        ),
        ("route", "actionban = ip route add prohibit <ip> table 7"),
    ] {
        let local = format!("[Definition]\n{text}\n");
        let path = format!("action.d/{file}.local");
        let (kind, problems) = one(&format!("action = {file}"), &[(&path, &local)]);
        assert_eq!(kind, "command", "{text}");
        assert!(problems.contains("not what") && problems.contains("action.d/"), "{problems}");
    }
    // The same words under another name are somebody's own.
    let mine = "[Definition]\nactionban = iptables -I INPUT -s <ip> -j DROP\nactionunban = x\n";
    let own = one("action = mine", &[("action.d/mine.conf", mine)]);
    assert_eq!(own, ("command".to_owned(), String::new()));
}

#[test]
fn unknown_services_and_ports_are_said_at_their_place() {
    if !installed() {
        return;
    }
    let (kind, problems) = one("port = shh\naction = iptables-multiport[port=\"%(port)s\"]", &[]);
    assert_eq!(kind, "command");
    assert!(
        problems.contains("\"shh\" is no port") && problems.contains("jail.conf:6:"),
        "{problems}"
    );
    let (kind, problems) = one("action = iptables-allports[protocol=icmp]", &[]);
    assert_eq!(kind, "command");
    assert!(problems.contains("icmp"), "{problems}");
}

#[test]
fn several_closings_count_together() {
    if !installed() {
        return;
    }
    let both = judged(
        "action = iptables-multiport[port=ssh]\n  iptables-multiport[name=k, port=http, protocol=udp]",
        &[],
    );
    assert_eq!(both.closing.map(|c| c.ports.to_string()).as_deref(), Some("tcp/22, udp/80"));
    assert_eq!(both.problems, []);
    let both = judged(
        "action = iptables-multiport[port=ssh]\n  nftables-allports[blocktype=drop]\n  sendmail",
        &[],
    );
    assert_eq!(both.closing.map(|c| c.ports.to_string()).as_deref(), Some("tcp/0-65535"));
    let said: Vec<String> = both.problems.iter().map(ToString::to_string).collect();
    assert!(
        said.len() == 2 && said[0].contains("different ways") && said[1].contains("closes all"),
        "{said:?}"
    );
    assert_eq!(both.actions.len(), 3);
}

#[test]
fn commands_know_how_they_are_run() {
    if !installed() {
        return;
    }
    let get = |options: &str| match judged(options, &[]).actions.remove(0).1 {
        Kind::Command(commands) => *commands,
        other => panic!("{other:?}"),
    };
    let cloudflare = get("action = cloudflare-token[cftoken=x, timeout=2m]");
    assert!(cloudflare.by_family && cloudflare.on_demand && !cloudflare.norestored);
    assert_eq!(cloudflare.timeout.as_secs(), 120);
    let v6 = &cloudflare.script(Operation::Ban, Family::V6).text;
    assert!(v6.contains("\"target\":\"ip6\",\"value\":\"'\"${f2bV_ip}\"'\""), "{v6}");
    let mail = get("action = sendmail-whois-matches");
    assert!(mail.norestored && !mail.on_demand && !mail.by_family && !mail.lasting());
    let ban = mail.script(Operation::Ban, Family::V4);
    let needs: Vec<&str> = ban.needs.iter().map(|one| one.tag()).collect();
    assert_eq!(needs, ["failures", "fq-hostname", "ip", "matches"]);
    let mail = get("action = mail");
    assert!(mail.script(Operation::Ban, Family::V4).text.contains("|f2bV_mail mail -E"));
    let user = "[Definition]\nactionban = sh -c 'tell <F-USER>'\n";
    let (kind, problems) = one("action = mine", &[("action.d/mine.conf", user)]);
    assert_eq!(kind, "refused");
    assert!(
        problems.contains("action.d/mine.conf:2:") && problems.contains("sh -c '... \"$1\""),
        "{problems}"
    );
}

/// The machine's own tree below a `jail.local` of ours.
struct Local(String);

impl Files for Local {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        if path == "/etc/fail2ban/jail.local" {
            return Ok(Some(self.0.clone().into_bytes()));
        }
        Ok(std::fs::read(path).ok())
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[test]
fn every_stock_jail_closes_its_ports_and_tells() {
    if !installed() || !Path::new(STOCK).join("jail.conf").exists() {
        return;
    }
    let names = read(&Local(String::new()), STOCK);
    let on: String =
        names.jails.iter().map(|jail| format!("[{}]\nenabled = true\n", jail.name)).collect();
    for (action, banaction) in [
        ("action_mwl", "iptables-multiport"),
        ("action_mw", "nftables-multiport"),
        ("action_", "ufw"),
    ] {
        let defaults = format!(
            "[DEFAULT]\nbanaction = {banaction}\naction = %({action})s\nbackend = polling\n{on}"
        );
        let tree = read(&Local(defaults), STOCK);
        let (mut closed, mut odd) = (0, Vec::new());
        for jail in &tree.jails {
            let acts = acts(&tree, jail);
            closed += usize::from(acts.closing.is_some());
            odd.extend(acts.problems.iter().map(|p| format!("[{}] {p}", jail.name)));
        }
        // One of them lets in whom it bans, and one wants its packets logged.
        assert_eq!(closed, tree.jails.len() - 1, "{banaction}");
        odd.retain(|text| !text.contains("[pass2allow-ftp]") && !text.contains("[xinetd-fail]"));
        assert!(odd.is_empty(), "{}", odd.join("\n"));
    }
}
