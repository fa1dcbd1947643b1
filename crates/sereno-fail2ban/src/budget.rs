//! How much work a tree may cause.
//!
//! Interpolation and tags let a short file describe a long text, and one that includes itself
//! describe an endless one. Every character that is copied is paid for here, so that reading
//! takes time in proportion to what was read.

use crate::problem::Wrong;
use crate::text::Text;

/// Characters of one value at most. The largest of the stock files have 12,000.
const VALUE: usize = 1 << 20;
/// What may be copied in any case, and for each byte that was read. All stock jails at once need
/// 19 for each byte.
const BASE: usize = 16 << 20;
const PER_BYTE: usize = 256;

/// What is left of the work that a tree may cause.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { left: BASE }
    }

    /// A file of this many bytes was read.
    pub(crate) fn earn(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes.saturating_mul(PER_BYTE));
    }

    /// Pays for `work`, on the way from `from` to a value that has `size` bytes by now.
    pub(crate) fn pay(&mut self, work: usize, size: usize, from: &Text) -> Result<(), Wrong> {
        let remedy = "look for options that contain each other many times, and break the circle";
        if size > VALUE {
            let remedy = "write less: networks such as 192.0.2.0/24 for many addresses, one file for \
                          many lines; or, if options contain each other many times, break the circle";
            return Err(Wrong::of(from, "a value has 1 MiB at most, and this one more", remedy));
        }
        match self.left.checked_sub(work) {
            Some(left) => self.left = left,
            None => {
                let message = "the files describe far more text than they contain";
                return Err(Wrong::of(from, message, remedy));
            }
        }
        Ok(())
    }
}
