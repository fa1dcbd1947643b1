//! Invitations: what somebody has to do to come in at a door, on whatever he has at hand.

mod lines;
mod qr;

pub use qr::qr;

use crate::cli::paint::{self, Paint};
use crate::words;
use sereno_config::fwknop::Client;
use sereno_config::invited::{Invited, Knock, TimedKnock, is_host};
use sereno_core::door::{Hit, Sequence};
use sereno_knock::is_door;
use std::fmt::Write;

/// The text as it grows.
struct Page {
    out: String,
    paint: Paint,
}

impl Page {
    /// A heading, with room above it.
    fn head(&mut self, text: impl AsRef<str>) {
        let text = self.paint.style(paint::HEAD, text.as_ref());
        let room = if self.out.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(self.out, "{room}{text}");
    }

    /// A line for people.
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    /// Something to be copied: not indented, because some languages care.
    fn code(&mut self, text: &str) {
        let _ = writeln!(self.out, "\n{}\n", text.trim_end());
    }
}

/// A door, as somebody is invited to it.
#[derive(Clone, Debug)]
pub enum Invitation {
    /// To knock at.
    Door {
        /// What it is called: also the name of the guest's file.
        name: String,
        /// What the guest's file says.
        door: Invited,
    },
    /// That a packet opens: a stanza for the guest's `.fwknoprc`, with its server, keys and name.
    Packet(Box<Client>),
}

impl Invitation {
    fn name(&self) -> &str {
        match self {
            Self::Door { name, .. } => name,
            Self::Packet(client) => &client.name,
        }
    }

    fn host(&self) -> &str {
        match self {
            Self::Door { door, .. } => &door.host,
            Self::Packet(client) => client.server.as_deref().unwrap_or_default(),
        }
    }

    /// The TCP port that answers once the door is open.
    fn port(&self) -> Option<u16> {
        match self {
            Self::Door { door, .. } => door.wait,
            Self::Packet(client) => {
                let tcp =
                    |port: &&sereno_core::gate::PortRange| port.to_string().starts_with("tcp/");
                let led = client.nat_port.filter(|_| client.translates());
                led.or_else(|| client.access.iter().find(tcp).map(|port| port.first()))
            }
        }
    }

    /// What its QR code says: the guest's file; of a packet's stanza the keys, in the form in which
    /// Fwknop2 scans them.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Door { door, .. } => door.render(),
            Self::Packet(client) => client.keys.as_ref().map_or_else(String::new, |keys| {
                let hmac = keys.hmac.as_ref().map(|(key, _)| key.to_base64());
                let hmac =
                    hmac.map_or_else(String::new, |key| format!(" HMAC_KEY_BASE64:{}", *key));
                format!("KEY_BASE64:{}{hmac}", *keys.key.to_base64())
            }),
        }
    }

    /// The whole invitation, in the language of who listens, with its QR code at the end. It has the
    /// secret in it.
    ///
    /// # Errors
    /// A sentence, when a name or host is none that can stand in a command line.
    pub fn text(&self, paint: Paint) -> Result<String, String> {
        let (name, host) = (self.name(), self.host());
        if !is_door(name) {
            return Err(words::invite_bad_name(paint::safe(name)));
        }
        if !is_host(host) {
            return Err(words::invite_bad_host(paint::safe(host)));
        }
        let mut page = Page { out: String::new(), paint };
        page.say(&words::invite_to(name, host));
        page.say(&words::invite_secret());
        match self {
            Self::Door { door, .. } => self.door(door, &mut page),
            Self::Packet(client) => self.packet(client, &mut page),
        }
        if let Some(code) = qr(&self.code(), paint) {
            page.head(match self {
                Self::Door { .. } => words::invite_qr_file(name),
                Self::Packet(_) => words::invite_qr_keys(),
            });
            page.out.push_str(&code);
        }
        Ok(page.out)
    }

    fn door(&self, door: &Invited, page: &mut Page) {
        let (name, host) = (self.name(), self.host());
        page.head("Sereno");
        page.say(&words::invite_save(format!("~/.config/sereno/doors/{name}.toml")));
        page.code(&door.render());
        page.say(&words::invite_then());
        let follow = if door.wait == Some(22) { format!(" -- ssh {host}") } else { String::new() };
        page.code(&format!(
            "chmod 600 ~/.config/sereno/doors/{name}.toml\nsereno knock {name}{follow}\n"
        ));
        match &door.knock {
            Knock::Fixed { sequence, once } => {
                if *once {
                    page.say(&words::invite_once());
                }
                fixed(host, door, sequence, page);
            }
            Knock::Timed(timed) => changing(name, timed, page),
        }
        self.afterwards(page);
    }

    fn packet(&self, client: &Client, page: &mut Page) {
        let (name, host) = (self.name(), self.host());
        page.say(&words::invite_rc());
        page.code(&client.render());
        page.head("Sereno");
        let follow =
            if self.port() == Some(22) { format!(" -- ssh {host}") } else { String::new() };
        page.code(&format!("chmod 600 ~/.fwknoprc\nsereno knock --spa -n {name}{follow}\n"));
        page.head("Linux");
        page.say(&words::invite_fwknop("apt install fwknop-client"));
        page.code(&format!("fwknop -n {name}\n"));
        page.head("macOS");
        page.say(&words::invite_fwknop("brew install fwknop"));
        page.code(&format!("fwknop -n {name}\n"));
        page.head("Windows");
        page.say(&words::invite_wsl());
        page.head("Android");
        page.say(&words::invite_termux("pkg install fwknop"));
        let ports: Vec<String> = client.access.iter().map(ToString::to_string).collect();
        page.say(&words::invite_fwknop2(host, client.port, ports.join(",")));
        page.head("iOS");
        page.say(&words::invite_no_ios());
        self.afterwards(page);
    }

    fn afterwards(&self, page: &mut Page) {
        page.head(match self.port() {
            Some(port) => words::invite_port(port),
            None => words::invite_done(),
        });
    }
}

/// What to type for ports that are always the same.
fn fixed(host: &str, door: &Invited, sequence: &Sequence, page: &mut Page) {
    let (hits, delay) = (sequence.hits(), door.delay.unwrap_or(sereno_knock::DELAY));
    page.head(words::invite_head("Linux", words::invite_with("knock", "apt install knockd")));
    page.code(&lines::knock(host, hits, delay));
    page.head(words::invite_head("Linux", words::invite_nothing("bash")));
    page.code(&lines::bash(host, hits, delay));
    page.head(words::invite_head("macOS", words::invite_nothing("Terminal")));
    page.code(&lines::perl(host, hits, delay));
    page.head(words::invite_head("Windows", words::invite_nothing("PowerShell")));
    page.code(&lines::powershell(host, hits, delay));
    page.head("Android");
    page.say(&words::invite_knock_on_ports(host, spoken(hits), delay.as_millis()));
    page.say(&words::invite_termux_bash());
    page.head("iOS");
    page.say(&words::invite_ish());
    page.say(&words::invite_ashell());
    page.code(&lines::python(host, hits, delay));
}

/// Ports as an app asks for them.
fn spoken(hits: &[Hit]) -> String {
    hits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What to do for ports that change with the time.
fn changing(name: &str, timed: &TimedKnock, page: &mut Page) {
    page.say(&words::invite_clock(timed.step.as_secs()));
    page.head(words::invite_head("Linux, macOS", words::invite_nothing("perl")));
    page.say(&words::invite_script("knock.pl", format!("perl knock.pl {name}.toml")));
    page.code(lines::PERL);
    page.head(words::invite_head("Windows", words::invite_nothing("PowerShell")));
    page.say(&words::invite_script_windows(name));
    page.code(&lines::powershell_timed(name));
    page.head("Android");
    page.say(&words::invite_perl_in("Termux", "Google Play, F-Droid", "pkg install perl"));
    page.head("iOS");
    page.say(&words::invite_perl_in("iSH Shell", "App Store", "apk add perl"));
}
