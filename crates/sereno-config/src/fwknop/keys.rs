//! The keys of a stanza, on a server or a client.

use super::said::{Said, Stanza};
use super::text;
use crate::Document;
use crate::problem::{Notes, Wrong};
use sereno_spa::{Digest, Mode, Secret};

/// How to make keys.
pub(super) const MAKE: &str = "make keys with fwknop --key-gen";

/// A key from `NAME` or `NAME_BASE64`, of 1 to `most` bytes.
pub(super) fn key(
    stanza: &Stanza,
    [plain, base64]: [&'static str; 2],
    most: usize,
    docs: &[Document],
    notes: &mut Notes,
) -> Option<(Secret, Said)> {
    let (said, name) = match (stanza.said.get(base64), stanza.said.get(plain)) {
        (Some(said), other) => {
            if let Some(other) = other {
                let wrong = Wrong::new(other.key.clone(), format!("{base64} counts, not {plain}"));
                notes.warn(other.doc, wrong.remedy("leave one of them out"));
            }
            (said, base64)
        }
        (None, said) => (said?, plain),
    };
    let value = text(docs, said);
    let mut refuse = |why: String, remedy: String| {
        notes.error(said.doc, Wrong::new(said.value.clone(), why).remedy(remedy));
        None
    };
    if value.contains("__CHANGEME__") {
        return refuse(format!("{name} was never set"), format!("{MAKE}, and write one here"));
    }
    let secret = if name == base64 {
        match Secret::from_base64(value.trim_end()) {
            Some(secret) => secret,
            None => {
                let remedy = format!("write {plain} if it is a passphrase; or {MAKE}");
                return refuse(format!("{name} is not base64"), remedy);
            }
        }
    } else {
        Secret::new(value.as_bytes().to_vec())
    };
    if !(1..=most).contains(&secret.len()) {
        let why = format!("the key has {} bytes", secret.len());
        return refuse(why, format!("1 to {most} bytes are taken; {MAKE}"));
    }
    if name == plain && (value.ends_with(char::is_whitespace) || value.contains(" #")) {
        let message = format!("{plain} is taken as it stands: blanks and # are part of it");
        let wrong = Wrong::new(said.value.clone(), message);
        notes.warn(
            said.doc,
            wrong.remedy("put comments on lines of their own, and no blanks at the end"),
        );
    }
    Some((secret, said.clone()))
}

/// A named digest or mode.
pub(super) fn named<T: std::str::FromStr<Err = String> + Default>(
    stanza: &Stanza,
    name: &str,
    docs: &[Document],
    notes: &mut Notes,
) -> T {
    let Some(said) = stanza.said.get(name) else { return T::default() };
    text(docs, said).trim().parse().unwrap_or_else(|why: String| {
        notes.error(said.doc, Wrong::new(said.value.clone(), why).remedy("write one of these"));
        T::default()
    })
}

/// The mode and the digest of the signature.
pub(super) fn how(stanza: &Stanza, docs: &[Document], notes: &mut Notes) -> (Mode, Digest) {
    (named(stanza, "ENCRYPTION_MODE", docs, notes), named(stanza, "HMAC_DIGEST_TYPE", docs, notes))
}
