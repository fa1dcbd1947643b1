//! Python at the other end of a pipe.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Oracle {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What Python found: for each text that matches, the byte ranges of the groups.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) found: BTreeMap<usize, Vec<Option<(usize, usize)>>>,
}

impl Oracle {
    /// `None`, with the reason printed, where there is no Python or no fail2ban.
    pub(crate) fn start() -> Option<Self> {
        let python = "/usr/bin/python3";
        let check = "import sys; sys.path.insert(0, '/usr/lib/python3/dist-packages'); \
                     import fail2ban.server.failregex; assert sys.version_info[:2] == (3, 11)";
        let found = Command::new(python).args(["-W", "ignore", "-c", check]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            println!("skipped: no Python 3.11 with fail2ban here");
            return None;
        }
        let mut child = Command::new(python)
            .args(["-W", "ignore", "-c", include_str!("oracle.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, input, output })
    }

    pub(crate) fn send(&mut self, query: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{query}").unwrap();
    }

    pub(crate) fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("Python gave up: {line:?}"))
    }

    pub(crate) fn ask(&mut self, query: &Value) -> Value {
        self.send(query);
        self.receive()
    }

    /// The texts for [`Oracle::search`].
    pub(crate) fn keep(&mut self, texts: &[String]) {
        self.ask(&json!({ "keep": texts }));
    }
}

/// The search of an expression in the texts that are kept.
pub(crate) fn search(regex: &str, multiline: bool, dns: bool) -> Value {
    json!({ "regex": regex, "multiline": multiline, "dns": dns })
}

/// The search of an expression in its own texts.
pub(crate) fn search_in(regex: &str, texts: &[String]) -> Value {
    json!({ "regex": regex, "multiline": false, "dns": true, "texts": texts })
}

/// Reads an answer about `texts`; `Err` is why Python refuses the expression.
pub(crate) fn answer(value: &Value, texts: &[String]) -> Result<Answer, String> {
    if let Some(error) = value.get("error") {
        return Err(error.to_string());
    }
    let number = |value: &Value| value.as_i64().unwrap();
    let names = value["names"].as_object().unwrap().iter();
    let found = value["found"].as_object().unwrap().iter().map(|(index, spans)| {
        let index: usize = index.parse().unwrap();
        let places = places(&texts[index]);
        let spans = spans.as_array().unwrap().iter().map(|span| {
            let (from, to) = (number(&span[0]), number(&span[1]));
            (from >= 0).then(|| (places[from as usize], places[to as usize]))
        });
        (index, spans.collect())
    });
    Ok(Answer {
        names: names.map(|(name, index)| (name.clone(), number(index) as usize)).collect(),
        found: found.collect(),
    })
}

/// The byte at which each character begins.
fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
