//! Packets as they are sent: encrypted, signed, in base64.
//!
//! ```text
//! plain  = text ":" b64(digest(text))
//! sealed = "Salted__" salt8 AES-256(plain)
//! signed = b64(sealed) b64(HMAC(key, b64(sealed)))
//! wire   = signed without its first ten characters, which are always the same
//! ```
//!
//! Base64 is that of the standard, without padding, and only in its one canonical spelling: no two
//! packets mean the same.

use crate::Refusal;
use crate::cipher::{Mode, decrypt, encrypt};
use crate::digest::Digest;
use crate::message::{BadField, Message};
use crate::secret::{Secret, same};
use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

/// Bytes of the shortest packet that is looked at.
pub const SHORTEST: usize = 140;
/// Bytes of the longest packet that is looked at.
pub const LONGEST: usize = 1500;
/// What every packet begins with, and is not sent.
const PREFIX: &str = "U2FsdGVkX1";
/// What stands in front of the salt, as OpenSSL writes it.
const MAGIC: &[u8] = b"Salted__";

/// What a client and a server share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key of the cipher, 1 to 32 bytes.
    pub key: Secret,
    /// How blocks are chained.
    pub mode: Mode,
    /// The key and digest of the signature, 1 to 128 bytes. Without one, whoever sees a packet can
    /// change how it is written.
    pub hmac: Option<(Secret, Digest)>,
}

/// A packet of possible length and characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire<'p>(&'p str);

impl<'p> Wire<'p> {
    /// Looks at length and characters.
    ///
    /// # Errors
    /// [`Refusal::Short`], [`Refusal::Long`], [`Refusal::Characters`] or [`Refusal::Prefix`].
    pub fn parse(payload: &'p [u8]) -> Result<Self, Refusal> {
        match payload.len() {
            ..SHORTEST => return Err(Refusal::Short),
            SHORTEST..=LONGEST => {}
            _ => return Err(Refusal::Long),
        }
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let text = std::str::from_utf8(payload).map_err(|_| Refusal::Characters)?;
        if !payload.iter().all(fits) {
            return Err(Refusal::Characters);
        }
        if text.starts_with(PREFIX) { Err(Refusal::Prefix) } else { Ok(Self(text)) }
    }

    /// The SHA-256 of what was sent: what fwknop remembers a packet by.
    #[must_use]
    pub fn digest(self) -> [u8; 32] {
        sha256(&[self.0.as_bytes()])
    }

    /// Checks the signature, then decrypts, then reads.
    ///
    /// # Errors
    /// [`Refusal::Hmac`], [`Refusal::Decrypt`], [`Refusal::Digest`] or [`Refusal::Fields`], the
    /// first that holds.
    pub fn open(self, keys: &Keys) -> Result<Message, Refusal> {
        let sealed = match &keys.hmac {
            None => self.0,
            Some((key, digest)) => {
                let at = self.0.len().checked_sub(digest.chars()).ok_or(Refusal::Hmac)?;
                let (sealed, signature) = self.0.split_at_checked(at).ok_or(Refusal::Hmac)?;
                let right = digest.sign(key.bytes(), [PREFIX.as_bytes(), sealed.as_bytes()]);
                let right = Base64Unpadded::encode_string(&right);
                if !same(right.as_bytes(), signature.as_bytes()) {
                    return Err(Refusal::Hmac);
                }
                sealed
            }
        };
        let text = Zeroizing::new(format!("{PREFIX}{sealed}"));
        let bytes = Base64Unpadded::decode_vec(&text).map_err(|_| Refusal::Decrypt)?;
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::Decrypt)?;
        let (salt, sealed) = rest.split_first_chunk::<8>().ok_or(Refusal::Decrypt)?;
        let plain = decrypt(sealed, &keys.key, *salt, keys.mode).ok_or(Refusal::Decrypt)?;
        read(&plain)
    }
}

/// What was encrypted: sixteen digits first, or it was not with this key.
fn read(plain: &[u8]) -> Result<Message, Refusal> {
    let first = plain.split_first_chunk::<16>().ok_or(Refusal::Decrypt)?;
    if !first.0.iter().all(u8::is_ascii_digit) || !first.1.starts_with(b":") {
        return Err(Refusal::Decrypt);
    }
    let plain = std::str::from_utf8(plain).map_err(|_| Refusal::Fields)?;
    let (text, digest) = plain.rsplit_once(':').ok_or(Refusal::Fields)?;
    let fits = |one: &Digest| {
        one.chars() == digest.len()
            && same(
                Base64Unpadded::encode_string(&one.of(text.as_bytes())).as_bytes(),
                digest.as_bytes(),
            )
    };
    if !Digest::ALL.iter().any(fits) {
        return Err(Refusal::Digest);
    }
    Message::read(text).map_err(|_| Refusal::Fields)
}

/// Makes a packet. `salt` is random, and so are the message's digits.
///
/// # Errors
/// What cannot be said in a packet, or not with these keys.
pub fn seal(
    message: &Message,
    digest: Digest,
    keys: &Keys,
    salt: [u8; 8],
) -> Result<String, BadField> {
    if !(1..=32).contains(&keys.key.len()) {
        return Err(BadField("the key, which has 1 to 32 bytes"));
    }
    let text = Zeroizing::new(message.write()?);
    let inner = Base64Unpadded::encode_string(&digest.of(text.as_bytes()));
    let plain = Zeroizing::new(format!("{}:{inner}", *text));
    let mut sealed = [MAGIC, &salt].concat();
    sealed.extend(encrypt(plain.as_bytes(), &keys.key, salt, keys.mode));
    let mut signed = Base64Unpadded::encode_string(&sealed);
    if let Some((key, digest)) = &keys.hmac {
        if !(1..=128).contains(&key.len()) {
            return Err(BadField("the HMAC key, which has 1 to 128 bytes"));
        }
        let signature = digest.sign(key.bytes(), [signed.as_bytes(), b""]);
        signed.push_str(&Base64Unpadded::encode_string(&signature));
    }
    let wire = signed.split_off(PREFIX.len());
    if wire.len() > LONGEST { Err(BadField("the packet, which is too long")) } else { Ok(wire) }
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}
