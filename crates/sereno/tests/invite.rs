//! Invitations: their lines are typed into real shells, and their QR codes scanned.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod program;

use program::now;
use rustix::net::{AddressFamily, RecvFlags, SocketType, recv, socket};
use sereno::cli::paint::Paint;
use sereno::invite::{Invitation, qr};
use sereno::words;
use sereno_config::fwknop::{Client, read_client};
use sereno_config::invited::{Invited, Knock, TimedKnock, read_invited};
use sereno_config::{Document, Lang};
use sereno_core::door::{Hit, Protocol, Sequence};
use sereno_spa::Secret;
use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::Duration;

const PLAIN: Paint = Paint { colours: false };
const RC: &str = "[home]\nSPA_SERVER srv.example.org\nACCESS tcp/22,udp/53\nKEY_BASE64 AQIDBAUGBwg=\n\
                  HMAC_KEY_BASE64 CQoLDA0ODxA=\n";

fn door(host: &str, knock: Knock) -> Invitation {
    let delay = Some(Duration::from_millis(60));
    let door = Invited { host: host.to_owned(), wait: Some(22), delay, knock };
    Invitation::Door { name: "office".to_owned(), door }
}

fn fixed(hits: Vec<Hit>) -> Knock {
    Knock::Fixed { sequence: Sequence::new(hits).unwrap(), once: false }
}

fn client() -> Box<Client> {
    let document = Document { name: "rc".to_owned(), text: RC.to_owned() };
    Box::new(read_client(&document).clients.remove(0))
}

fn installed(program: &str) -> bool {
    let run =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = run.is_ok();
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

/// What is knocked at, in the order of the packets: who accepts connections is told in any order.
struct Ear {
    told: Receiver<Hit>,
    _held: Vec<(Option<TcpListener>, Option<UdpSocket>)>,
}

/// Listens at ports of this machine's own (loopback).
fn listen(hits: &[Hit]) -> Ear {
    let wire =
        socket(AddressFamily::PACKET, SocketType::DGRAM, Some(rustix::net::eth::IP)).unwrap();
    let (tell, told) = channel();
    spawn(move || {
        let (mut packet, mut seen) = ([0; 256], HashSet::new());
        while let Ok((len, _)) = recv(&wire, &mut packet, RecvFlags::empty()) {
            // Each of them leaves, and comes in.
            if let Some((hit, mark)) = knock(&packet[..len])
                && seen.insert(mark)
                && tell.send(hit).is_err()
            {
                return;
            }
        }
    });
    let hold = |hit: &Hit| {
        let place = ("127.0.0.1", hit.port);
        match hit.protocol {
            Protocol::Tcp => (Some(TcpListener::bind(place).unwrap()), None),
            Protocol::Udp => (None, Some(UdpSocket::bind(place).unwrap())),
        }
    };
    Ear { told, _held: hits.iter().map(hold).collect() }
}

/// The hit that a packet of IPv4 is, if it begins something, and its numbers.
fn knock(packet: &[u8]) -> Option<(Hit, Vec<u8>)> {
    let (head, rest) = packet.split_at_checked(usize::from(packet.first()? & 15) * 4)?;
    let port = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]);
    let hit = match head[9] {
        6 if rest.get(13)? & 0x12 == 2 => Hit::tcp(port),
        17 => Hit::udp(port),
        _ => return None,
    };
    Some((hit, [&head[4..6], &rest[..4]].concat()))
}

fn heard(hear: &Ear) -> Vec<Hit> {
    std::iter::from_fn(|| hear.told.recv_timeout(Duration::from_millis(500)).ok()).collect()
}

fn run_in(folder: &Path, line: &str) {
    let done = Command::new("bash").arg("-c").arg(line).current_dir(folder).output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{line}\n{done:?}");
}

/// The line of a page that begins so, with those that belong to it.
fn line<'p>(page: &'p str, start: &str) -> &'p str {
    let at = page.find(&format!("\n{start}")).unwrap_or_else(|| panic!("{start}\n{page}")) + 1;
    page[at..].split("\n\n").next().unwrap()
}

/// A network of this thread's own, so that any port is free.
fn own_loopback() -> bool {
    program::own_network()
        && Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success()
}

#[test]
fn every_line_knocks_in_order() {
    if !own_loopback() || !["knock", "perl", "python3"].into_iter().all(installed) {
        return;
    }
    let hits = vec![Hit::tcp(7000), Hit::udp(8000), Hit::tcp(9000), Hit::tcp(6000)];
    let hear = listen(&hits);
    let page = door("127.0.0.1", fixed(hits.clone())).text(PLAIN).unwrap();
    for start in ["knock -d", "for p in", "perl -M", "python3 -c"] {
        run_in(Path::new("/"), line(&page, start));
        assert_eq!(heard(&hear), hits, "{start}");
    }
}

#[test]
fn the_script_knows_the_ports_of_the_time() {
    if !own_loopback() || !installed("perl") {
        return;
    }
    for range in [(20_000, 21_200), (1024, 65_535)] {
        let mut knock = TimedKnock::new(Secret::new((1..=33).collect()));
        (knock.length, knock.range) = (7, range);
        // No window ends while the script runs, as good as always.
        knock.step = Duration::from_secs(3600);
        let timed = knock.timed().unwrap();
        let hits = timed.sequence(timed.window(now())).unwrap().hits().to_vec();
        let hear = listen(&hits);
        let invitation = door("127.0.0.1", Knock::Timed(knock));
        let page = invitation.text(PLAIN).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("office.toml"), invitation.code()).unwrap();
        let script = &page[page.find("# perl knock.pl").unwrap()..];
        let script = &script[..script.find("\n}\n\n").unwrap() + 3];
        fs::write(folder.path().join("knock.pl"), script).unwrap();
        run_in(folder.path(), "perl knock.pl office.toml");
        assert_eq!(heard(&hear), hits);
    }
}

#[test]
fn the_file_in_it_is_the_file_that_is_read() {
    let invitation = door("srv.example.org", fixed(vec![Hit::tcp(7000), Hit::udp(8000)]));
    let Invitation::Door { door, .. } = &invitation else { panic!() };
    let page = invitation.text(PLAIN).unwrap();
    let text = line(&page, "host = ").to_owned();
    let (read, problems) = read_invited(&Document { name: "office.toml".to_owned(), text });
    assert_eq!((read.as_ref(), &problems[..]), (Some(door), &[][..]));
    let page = Invitation::Packet(client()).text(PLAIN).unwrap();
    let text = line(&page, "[home]").to_owned();
    assert_eq!(read_client(&Document { name: "rc".to_owned(), text }).clients, [*client()]);
}

#[test]
fn the_stanza_in_it_is_one_for_the_real_client() {
    if !installed("fwknop") {
        return;
    }
    let page = Invitation::Packet(client()).text(PLAIN).unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".fwknoprc"), line(&page, "[home]")).unwrap();
    let mut words = line(&page, "fwknop -n").split(' ');
    let mut fwknop = Command::new(words.next().unwrap());
    let done = fwknop.args(words).arg("-T").env("HOME", home.path()).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("0.0.0.0,tcp/22,udp/53"), "{said}");
}

#[test]
fn guests_are_spoken_to_in_their_language() {
    let timed = Knock::Timed(TimedKnock::new(Secret::new(vec![7; 16])));
    for invitation in [
        door("srv.example.org", fixed(vec![Hit::tcp(7000)])),
        door("2001:db8::1", timed),
        Invitation::Packet(client()),
    ] {
        let english = invitation.text(PLAIN).unwrap();
        let spanish = words::to(Lang::Spanish, || invitation.text(PLAIN)).unwrap();
        assert!(english.starts_with("Invitation to the door"), "{english}");
        assert!(spanish.starts_with("Invitación a la puerta"), "{spanish}");
        for system in ["Sereno", "Linux", "macOS", "Windows", "Android", "iOS"] {
            assert!(english.contains(system) && spanish.contains(system), "{system}");
        }
        assert!(english.contains("tcp/22 answers you") && spanish.contains("tcp/22 le responde"));
    }
}

#[test]
fn what_a_shell_would_obey_is_refused() {
    for host in ["$(id)", "a;b", "a b", "-x", "", "a'b"] {
        assert!(door(host, fixed(vec![Hit::tcp(7000)])).text(PLAIN).is_err(), "{host}");
    }
    let Invitation::Door { door, .. } = door("a", fixed(vec![Hit::tcp(1)])) else { panic!() };
    for name in ["../x", "a b", "7000", ""] {
        let door = door.clone();
        assert!(Invitation::Door { name: name.to_owned(), door }.text(PLAIN).is_err(), "{name}");
    }
}

/// A picture of a code: `█`, `▀`, `▄` are light on a dark terminal, and dark on white with colours.
fn picture(code: &str, light: bool) -> Vec<u8> {
    const SIDE: usize = 4;
    let plain = code.replace("\u{1b}[30;107m", "").replace("\u{1b}[0m", "");
    let rows: Vec<Vec<bool>> = plain
        .lines()
        .flat_map(|line| {
            let half =
                |full: char| line.chars().map(|c| (c == '█' || c == full) == light).collect();
            [half('▀'), half('▄')]
        })
        .collect();
    let mut out = format!("P5 {} {} 255\n", rows[0].len() * SIDE, rows.len() * SIDE).into_bytes();
    for row in rows {
        let wide: Vec<u8> = row.iter().flat_map(|l| [if *l { 255 } else { 0 }; SIDE]).collect();
        (0..SIDE).for_each(|_| out.extend(&wide));
    }
    out
}

#[test]
fn codes_are_scanned_as_what_they_say() {
    if !installed("zbarimg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code.pgm");
    let timed = Knock::Timed(TimedKnock::new(Secret::new((0..32).collect())));
    for invitation in [door("srv.example.org", timed), Invitation::Packet(client())] {
        for colours in [false, true] {
            let code = qr(&invitation.code(), Paint { colours }).unwrap();
            fs::write(&path, picture(&code, !colours)).unwrap();
            let read = Command::new("zbarimg").args(["--raw", "-q"]).arg(&path).output().unwrap();
            assert_eq!(
                String::from_utf8(read.stdout).unwrap().trim_end(),
                invitation.code().trim_end()
            );
        }
    }
    assert_eq!(
        Invitation::Packet(client()).code(),
        "KEY_BASE64:AQIDBAUGBwg= HMAC_KEY_BASE64:CQoLDA0ODxA="
    );
    assert!(qr(&"x".repeat(3000), PLAIN).is_none());
}
