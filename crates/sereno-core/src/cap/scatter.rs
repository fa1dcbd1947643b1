//! A quick hash for short keys such as addresses.
//!
//! It is keyed with numbers that nobody outside knows, and what it gives stays inside, so that
//! nobody can choose keys that fall together. Where a hash stands for the key itself, the slower
//! hash of the standard library is used.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashers with the same secret.
#[derive(Clone, Debug)]
pub struct Scatter {
    start: u64,
    factor: u64,
}

impl Default for Scatter {
    fn default() -> Self {
        let secret = RandomState::new();
        Self { start: secret.hash_one(1), factor: secret.hash_one(2) | 1 }
    }
}

impl BuildHasher for Scatter {
    type Hasher = Scattered;

    fn build_hasher(&self) -> Scattered {
        Scattered { state: self.start, factor: self.factor }
    }
}

/// Multiplies, and folds what runs over back in.
#[derive(Debug)]
pub struct Scattered {
    state: u64,
    factor: u64,
}

impl Hasher for Scattered {
    fn finish(&self) -> u64 {
        self.state
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if let Ok(four) = <[u8; 4]>::try_from(bytes) {
            return self.write_u64(4 << 32 | u64::from(u32::from_be_bytes(four)));
        }
        for part in bytes.chunks(8) {
            self.write_u64(
                part.iter().fold(part.len() as u64, |all, byte| all << 8 | u64::from(*byte)),
            );
        }
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        let wide = u128::from(self.state ^ value).wrapping_mul(u128::from(self.factor));
        self.state = (wide >> 64) as u64 ^ wide as u64;
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}
