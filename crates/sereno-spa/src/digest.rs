//! The digests of the format: inside a packet against damage, and keyed behind it.

use hmac::{KeyInit, Mac, SimpleHmac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_512};
use std::fmt;
use std::str::FromStr;

/// A digest, by the name that fwknop gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Digest {
    /// MD5, 16 bytes.
    Md5,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-2 of 32 bytes; what is used where nothing is said.
    #[default]
    Sha256,
    /// SHA-2 of 48 bytes.
    Sha384,
    /// SHA-2 of 64 bytes.
    Sha512,
    /// SHA-3 of 32 bytes.
    Sha3_256,
    /// SHA-3 of 64 bytes.
    Sha3_512,
}

impl Digest {
    /// All of them; where two have one length, the one that is tried first stands first.
    pub const ALL: [Self; 7] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_256,
        Self::Sha3_512,
    ];

    /// The name in configuration files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Sha3_256 => "SHA3_256",
            Self::Sha3_512 => "SHA3_512",
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// How many characters it has in base64 without padding.
    pub(crate) fn chars(self) -> usize {
        (self.size() * 8).div_ceil(6)
    }

    pub(crate) fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha384 => Sha384::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
            Self::Sha3_256 => Sha3_256::digest(text).to_vec(),
            Self::Sha3_512 => Sha3_512::digest(text).to_vec(),
        }
    }

    /// The keyed digest (RFC 2104) of a text in parts.
    pub(crate) fn sign(self, key: &[u8], parts: [&[u8]; 2]) -> Vec<u8> {
        // Any length of key is taken, so that no error can arise.
        macro_rules! sign {
            ($hash:ty) => {
                SimpleHmac::<$hash>::new_from_slice(key).map(|mut mac| {
                    parts.iter().for_each(|part| mac.update(part));
                    mac.finalize().into_bytes().to_vec()
                })
            };
        }
        let signed = match self {
            Self::Md5 => sign!(Md5),
            Self::Sha1 => sign!(Sha1),
            Self::Sha256 => sign!(Sha256),
            Self::Sha384 => sign!(Sha384),
            Self::Sha512 => sign!(Sha512),
            Self::Sha3_256 => sign!(Sha3_256),
            Self::Sha3_512 => sign!(Sha3_512),
        };
        signed.unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Digest {
    type Err = String;

    /// The name, in any case, with `-` or `_`.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.replace('-', "_");
        let named = Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(&plain));
        named.ok_or_else(|| format!("{text:?} is none of the digests {}", names()))
    }
}

fn names() -> String {
    Digest::ALL.map(Digest::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn names_and_sizes_agree() {
        for digest in Digest::ALL {
            assert_eq!(digest.as_str().parse(), Ok(digest));
            assert_eq!(digest.of(b"x").len(), digest.size());
            assert_eq!(digest.sign(b"k", [b"x", b""]).len(), digest.size());
        }
        assert_eq!("sha3-256".parse(), Ok(Digest::Sha3_256));
        assert!("crc32".parse::<Digest>().is_err());
    }

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn keyed_digests_are_those_of_the_standard() {
        let sign =
            |digest: Digest| hex(&digest.sign(b"Jefe", [b"what do ya want ", b"for nothing?"]));
        assert_eq!(sign(Digest::Md5), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(sign(Digest::Sha1), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(Digest::Sha256), sha256);
    }
}
