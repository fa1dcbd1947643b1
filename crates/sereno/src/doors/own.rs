//! Doors of the configuration.

use super::{Reader, disk, fwknop::signed_door};
use crate::words;
use sereno_config::{DoorConf, Severity, Way};
use sereno_core::door::{Deed, Deeds, Door, FlagTest, Sequences, Timed};
use sereno_core::engine::DoorPolicy;
use sereno_core::gate::Ports;
use std::path::Path;

impl Reader {
    pub(super) fn own(&mut self, conf: &DoorConf) {
        let Some(sequences) = self.sequences(conf) else { return };
        let ports = match &conf.way {
            Way::Signed(path) => self.signed_by(path, conf.name, conf.ports.clone()),
            _ => conf.ports.clone(),
        };
        let signed = self.doors.signed.doors.iter().any(|door| door.name == conf.name);
        if let Way::Signed(path) = &conf.way
            && signed
            && conf.closed
            && ports.is_none()
        {
            let message = words::door_nothing_closed(conf.name);
            let remedy = words::door_nothing_closed_fix(conf.name);
            self.note(Severity::Warning, path, message, &remedy);
        }
        let deeds = deeds(conf, ports.as_ref());
        let door = Door {
            within: conf.within,
            // Others are answers and noise; a knock begins something.
            flags: FlagTest::SYN,
            traps: conf.traps.clone(),
            barred: conf.barred,
            hold: conf.open,
            sequences,
            ..signed_door(conf.name.as_str(), deeds)
        };
        let closed = conf.closed && ports.is_some_and(|ports| ports != Ports::All);
        let (name, cut, free) = (conf.name, conf.cut, conf.free.clone());
        self.doors.policies.push(DoorPolicy { name, door, closed, cut, free });
    }

    /// What is knocked; `None` if a file of it cannot be used, which is told.
    fn sequences(&mut self, conf: &DoorConf) -> Option<Sequences> {
        match &conf.way {
            Way::Hand | Way::Signed(_) => Some(Sequences::Once(Vec::new())),
            Way::Knock(sequence) => Some(Sequences::Fixed(sequence.clone())),
            Way::Once(path) => self.once(conf, path),
            Way::Timed { secret, step, length, range } => {
                let text = self.secret(secret)?;
                let bytes =
                    sereno_spa::Secret::from_base64(text.trim()).map(|s| s.bytes().to_vec());
                let made = bytes.ok_or_else(words::no_base64).and_then(|bytes| {
                    let length = usize::from(*length);
                    let tcp = sereno_core::door::Protocol::Tcp;
                    Timed::new(bytes, *step, length, *range, tcp)
                });
                match made {
                    Ok(timed) => Some(Sequences::Timed(timed)),
                    Err(why) => {
                        self.problem(secret, why, &words::door_secret_fix());
                        None
                    }
                }
            }
        }
    }

    /// Sequences that are good once: a file as knockd's, a sequence on each line.
    fn once(&mut self, conf: &DoorConf, path: &Path) -> Option<Sequences> {
        let remedy = &words::door_once_fix();
        let text = self.text(path, disk::text, remedy)?;
        let (list, _) = match sereno_config::knockd::once(&text) {
            Ok(found) => found,
            Err(wrongs) => {
                wrongs.into_iter().for_each(|(what, remedy)| self.problem(path, what, &remedy));
                return None;
            }
        };
        if list.is_empty() {
            self.problem(path, words::door_once_empty(), remedy);
        }
        self.warn_of_shared(path);
        self.doors.once.insert(conf.name, path.to_owned());
        Some(Sequences::Once(list))
    }

    fn secret(&mut self, path: &Path) -> Option<String> {
        let remedy = &words::door_secret_file_fix();
        self.text(path, disk::secret, remedy)
    }
}

fn deeds(conf: &DoorConf, ports: Option<&Ports>) -> Deeds {
    if let Some(ports) = ports {
        return Deeds::open(ports.clone());
    }
    let deed =
        |text: &Option<String>| text.as_ref().map_or(Deed::Nothing, |text| Deed::Run(text.clone()));
    Deeds { start: deed(&conf.command), stop: deed(&conf.end_command) }
}
