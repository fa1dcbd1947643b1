//! Packets of single-packet authorization.

use sereno_core::time::Time;
use sereno_spa::{
    Access, Commands, Datagram, Digest, Keys, Memory, Message, Mode, Refusal, Secret, Source,
    Stanza, Translation, Verdict, Wire, judge, seal,
};
use std::time::Duration;

/// This machine.
const OWN: [u8; 4] = [192, 0, 2, 1];

/// A stanza for anybody; the second one takes packets without a signature.
fn stanza(number: u8, hmac: bool) -> Stanza {
    let hmac = hmac.then(|| (Secret::new(vec![number | 128; 32]), Digest::Sha256));
    Stanza {
        name: String::new(),
        source: Source::Any,
        destination: Source::Any,
        keys: Keys { key: Secret::new(vec![number; 32]), mode: Mode::Cbc, hmac },
        open_ports: Vec::new(),
        restrict_ports: Vec::new(),
        timeout: Duration::from_secs(30),
        max_timeout: Duration::from_secs(300),
        expires: None,
        user: None,
        require_address: false,
        commands: Some(Commands::default()),
        cycle: None,
        translation: Translation { forwarding: true, local: true, ..Translation::default() },
    }
}

/// Bytes as they come, or what stands in a packet made with a key. What holds for any: whatever is
/// granted is granted once; what is not made with a key is not remembered; what is read is written
/// and read again as the same.
pub fn check(data: &[u8]) {
    let stanzas = vec![stanza(1, true), stanza(2, false)];
    let own = vec![OWN.into()];
    let access = Access { stanzas, own, ..Access::default() };
    let mut memory = Memory::default();
    match data.split_first() {
        Some((0, payload)) => {
            let now = Time::from_secs(1_795_361_723);
            let verdict = twice(payload, now, &access, &mut memory);
            let authentic = Wire::parse(payload).is_ok_and(|wire| {
                access.stanzas.iter().any(|stanza| wire.open(&stanza.keys).is_ok())
            });
            assert!(authentic || matches!(verdict, Verdict::Refused(_)));
            assert!(authentic || memory.replay.is_empty());
        }
        Some((which, text)) => {
            let Ok(text) = std::str::from_utf8(text) else { return };
            let Ok(message) = Message::read(text) else { return };
            let written = message.write();
            assert!(written.is_ok(), "{written:?}");
            let written = written.unwrap_or_default();
            assert_eq!(Message::read(&written).as_ref(), Ok(&message));
            let keys = &access.stanzas[usize::from(*which & 1)].keys;
            let Ok(packet) = seal(&message, Digest::Sha1, keys, [7; 8]) else { return };
            let now = Time::from_secs(message.sent as i64);
            let verdict = twice(packet.as_bytes(), now, &access, &mut memory);
            match verdict {
                Verdict::Granted(grant) => assert_eq!(grant.user, message.user),
                // Where the clock is at its beginning, all is old.
                Verdict::Refused(refusal) => assert!(
                    matches!(
                        refusal,
                        Refusal::Short | Refusal::Expired | Refusal::Prefix | Refusal::Target
                    ),
                    "{refusal}"
                ),
            }
        }
        None => {}
    }
}

fn twice(payload: &[u8], now: Time, access: &Access, memory: &mut Memory) -> Verdict {
    let source = [198, 51, 100, 7].into();
    let datagram = Datagram { payload, source, destination: OWN.into() };
    let first = judge(&datagram, now, access, memory);
    let second = judge(&datagram, now, access, memory);
    match first {
        Verdict::Granted(_) => assert_eq!(second, Verdict::Refused(Refusal::Replay)),
        Verdict::Refused(_) => assert!(matches!(second, Verdict::Refused(_))),
    }
    assert!(memory.replay.len() <= 2);
    assert_eq!(memory.granted() + memory.refused().map(|(_, count)| count).sum::<u64>(), 2);
    first
}
