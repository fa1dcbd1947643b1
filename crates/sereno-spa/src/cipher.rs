//! AES-256 in the modes of the format, with keys stretched as OpenSSL's `enc` does it.
//!
//! The modes are a few lines each on top of the block cipher: five crates for them would be more
//! to read than they are.

use crate::Secret;
use crate::digest::Digest;
use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use std::str::FromStr;
use zeroize::Zeroizing;

/// Bytes of a block.
const BLOCK: usize = 16;

/// How blocks are chained (`ENCRYPTION_MODE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Each block is mixed with the one before; what is used where nothing is said.
    #[default]
    Cbc,
    /// A counter makes the key stream.
    Ctr,
    /// The ciphertext makes the key stream.
    Cfb,
    /// The key stream makes itself.
    Ofb,
    /// Blocks by themselves. Equal blocks are seen to be equal.
    Ecb,
    /// CBC with a key of 16 bytes, cut or filled up with `0`: fwknop before 2.5.
    Legacy,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cbc, Self::Ctr, Self::Cfb, Self::Ofb, Self::Ecb, Self::Legacy];

    /// The name in configuration files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cbc => "cbc",
            Self::Ctr => "ctr",
            Self::Cfb => "cfb",
            Self::Ofb => "ofb",
            Self::Ecb => "ecb",
            Self::Legacy => "legacy",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    /// The name, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(text));
        named.ok_or_else(|| {
            format!("{text:?} is none of the modes {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// A cipher ready for one packet.
struct Ready {
    aes: Aes256,
    iv: [u8; BLOCK],
}

fn ready(key: &Secret, salt: [u8; 8], mode: Mode) -> Ready {
    let mut material = Zeroizing::new(key.bytes().to_vec());
    if mode == Mode::Legacy {
        material.resize(16, b'0');
    }
    // EVP_BytesToKey of OpenSSL: MD5, one round, until there are 32 + 16 bytes.
    let mut made = Zeroizing::new(Vec::with_capacity(48));
    let mut last = Zeroizing::new(Vec::new());
    while made.len() < 48 {
        let mut text = Zeroizing::new(Vec::with_capacity(16 + material.len() + salt.len()));
        text.extend_from_slice(&last);
        text.extend_from_slice(&material);
        text.extend_from_slice(&salt);
        last = Zeroizing::new(Digest::Md5.of(&text));
        made.extend_from_slice(&last);
    }
    let mut stretched = Zeroizing::new([0; 32]);
    stretched.copy_from_slice(&made[..32]);
    let mut iv = [0; BLOCK];
    iv.copy_from_slice(&made[32..48]);
    Ready { aes: Aes256::new(&Array::from(*stretched)), iv }
}

impl Ready {
    fn encrypt_block(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Array::from(block);
        self.aes.encrypt_block(&mut block);
        block.into()
    }

    fn decrypt_block(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Array::from(block);
        self.aes.decrypt_block(&mut block);
        block.into()
    }
}

fn mix(left: [u8; BLOCK], right: [u8; BLOCK]) -> [u8; BLOCK] {
    std::array::from_fn(|at| left[at] ^ right[at])
}

fn blocks(text: &[u8]) -> impl Iterator<Item = [u8; BLOCK]> {
    text.chunks_exact(BLOCK).map(|chunk| std::array::from_fn(|at| chunk[at]))
}

/// Encrypts, filled up to whole blocks as PKCS #7 says.
pub(crate) fn encrypt(plain: &[u8], key: &Secret, salt: [u8; 8], mode: Mode) -> Vec<u8> {
    let ready = ready(key, salt, mode);
    let room = BLOCK - plain.len() % BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(plain.len() + room));
    padded.extend_from_slice(plain);
    padded.resize(plain.len() + room, room as u8);
    let mut chain = ready.iv;
    let mut out = Vec::with_capacity(padded.len());
    for block in blocks(&padded) {
        let done = match mode {
            Mode::Cbc | Mode::Legacy => ready.encrypt_block(mix(block, chain)),
            Mode::Ecb => ready.encrypt_block(block),
            Mode::Ctr | Mode::Cfb | Mode::Ofb => mix(block, ready.encrypt_block(chain)),
        };
        chain = next(mode, chain, block, done);
        out.extend_from_slice(&done);
    }
    out
}

/// Decrypts and takes away what filled it up; `None` if it is not whole blocks, rightly filled.
pub(crate) fn decrypt(
    sealed: &[u8],
    key: &Secret,
    salt: [u8; 8],
    mode: Mode,
) -> Option<Zeroizing<Vec<u8>>> {
    if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
        return None;
    }
    let ready = ready(key, salt, mode);
    let mut chain = ready.iv;
    let mut out = Zeroizing::new(Vec::with_capacity(sealed.len()));
    for block in blocks(sealed) {
        let plain = match mode {
            Mode::Cbc | Mode::Legacy => mix(ready.decrypt_block(block), chain),
            Mode::Ecb => ready.decrypt_block(block),
            Mode::Ctr | Mode::Cfb | Mode::Ofb => mix(block, ready.encrypt_block(chain)),
        };
        chain = next(mode, chain, plain, block);
        out.extend_from_slice(&plain);
    }
    let room = usize::from(*out.last()?);
    let from = out.len().checked_sub(room)?;
    let filled =
        (1..=BLOCK).contains(&room) && out[from..].iter().all(|&byte| usize::from(byte) == room);
    out.truncate(from);
    filled.then_some(out)
}

/// What the next block is chained to.
fn next(mode: Mode, chain: [u8; BLOCK], plain: [u8; BLOCK], sealed: [u8; BLOCK]) -> [u8; BLOCK] {
    match mode {
        Mode::Cbc | Mode::Legacy | Mode::Cfb => sealed,
        Mode::Ecb => chain,
        Mode::Ofb => mix(plain, sealed),
        Mode::Ctr => u128::from_be_bytes(chain).wrapping_add(1).to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_blocks_rightly_filled_are_read() {
        let key = Secret::new(b"key".to_vec());
        assert!(decrypt(b"", &key, [0; 8], Mode::Cbc).is_none());
        assert!(decrypt(&[0; 15], &key, [0; 8], Mode::Cbc).is_none());
        assert!(decrypt(&[0; 32], &key, [0; 8], Mode::Cbc).is_none());
        // The last byte of what is filled up, in a mode where it can be changed alone.
        let mut sealed = encrypt(b"0123456789", &key, [0; 8], Mode::Ctr);
        sealed[12] ^= 1;
        assert!(decrypt(&sealed, &key, [0; 8], Mode::Ctr).is_none());
    }

    #[test]
    fn a_legacy_key_is_sixteen_bytes() {
        let key = |text: &str| Secret::new(text.as_bytes().to_vec());
        let sealed = encrypt(b"text", &key("abcd"), [1; 8], Mode::Legacy);
        assert_eq!(sealed, encrypt(b"text", &key("abcd000000000000"), [1; 8], Mode::Cbc));
        let long = encrypt(b"text", &key("abcd000000000000more"), [1; 8], Mode::Legacy);
        assert_eq!(sealed, long);
    }

    proptest! {
        #[test]
        fn what_was_encrypted_is_decrypted(
            plain in proptest::collection::vec(any::<u8>(), 0..200),
            key in proptest::collection::vec(any::<u8>(), 1..33),
            salt: [u8; 8],
        ) {
            let key = Secret::new(key);
            for mode in Mode::ALL {
                let sealed = encrypt(&plain, &key, salt, mode);
                let opened = decrypt(&sealed, &key, salt, mode);
                prop_assert_eq!(opened.as_deref(), Some(&plain), "{:?}", mode);
            }
        }
    }
}
