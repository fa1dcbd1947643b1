//! Lengths of time beside fail2ban's own evaluation of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    dead_code,
    reason = "a test asks the real program"
)]

mod common;

use sereno_fail2ban::seconds;
use std::io::Write;
use std::process::{Command, Stdio};

/// Reads an expression from each line, and prints what it comes to.
const SCRIPT: &str = "
import sys, warnings
warnings.simplefilter('ignore')
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from fail2ban.server.mytime import MyTime
for line in sys.stdin:
    try:
        value = float(MyTime.str2seconds(line.rstrip('\\n')))
        print(repr(value))
    except Exception:
        print('error')
";

#[test]
fn lengths_of_time_are_those_of_fail2ban() {
    if !common::installed() {
        return;
    }
    let pieces = [
        "1", "2", "10", "3600", "1.5", " 0.5", "0", "d", "h", "m", "mo", "y", "sec", "weeks",
        "minutes", "Hour", "mon", "secs", "q", "+", "-", "*", "/", "(", ")", " ", " ", " ", "yea",
        "dd",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut roll = |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % sides as u64) as usize
    };
    let lines: Vec<String> = (0..20_000)
        .map(|_| (0..=roll(7)).map(|_| pieces[roll(pieces.len())]).collect::<String>())
        .filter(|line| !line.contains("**") && !line.contains("//"))
        .collect();
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let (mut right, mut wrong) = (0, 0);
    for (line, told) in lines.iter().zip(told.lines()) {
        let real = told.parse::<f64>().ok().filter(|value| value.abs() <= 3_155_760_000.0);
        let close = |value: f64| (value - real.unwrap_or(f64::NAN)).abs() <= value.abs() * 1e-12;
        match seconds(line) {
            Ok(value) => assert!(close(value), "{line:?}: {value}, not {told}"),
            Err(error) => assert_eq!(real, None, "{line:?}: {error:?}, not {told}"),
        }
        if real.is_some() { right += 1 } else { wrong += 1 }
    }
    println!("{right} lengths of time are the same, {wrong} are none for both");
    assert!(right > 1000);
}
