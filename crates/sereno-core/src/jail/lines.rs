//! The newest lines of a stranger, as evidence.
//!
//! All stand in one piece, each in a place as long as the longest: the oldest is written over where
//! it stands, and nothing has to be read for that.

use crate::rule::session::Line;
use crate::time::Time;
use std::hint::black_box;

/// What stands before the text of a line: its time and its length.
const HEAD: usize = 8 + 2;
/// Places grow by so many bytes.
const STEP: usize = 32;

/// The newest lines, and when each was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Bytes of a place.
    stride: u16,
    count: u32,
    /// The oldest of them, which is the next to be written over.
    oldest: u32,
}

impl Lines {
    /// Adds a line; only so many are kept.
    pub(super) fn note(&mut self, at: Time, line: &Line<'_>, most: usize) {
        let text = line.bytes();
        if most == 0 && self.count == 0 {
            return;
        }
        let more = (self.count as usize) < most;
        if usize::from(self.stride) < HEAD + text.len() || more && self.oldest > 0 {
            self.arrange(HEAD + text.len());
        }
        let place = if more { self.add() } else { self.next() };
        let start = place as usize * usize::from(self.stride);
        let Some(room) = self.bytes.get_mut(start..) else { return };
        let Some((head, room)) = room.split_first_chunk_mut::<HEAD>() else { return };
        head[..8].copy_from_slice(&at.0.to_le_bytes());
        head[8..].copy_from_slice(&(text.len() as u16).to_le_bytes());
        room[..text.len()].copy_from_slice(text);
    }

    /// Touches the place of the oldest.
    #[inline]
    pub(super) fn glance(&self) {
        let start = self.oldest as usize * usize::from(self.stride);
        black_box((self.bytes.get(start).copied(), self.bytes.get(start + 64).copied()));
    }

    /// A place more.
    fn add(&mut self) -> u32 {
        let stride = usize::from(self.stride);
        self.bytes.reserve_exact(stride);
        self.bytes.resize(self.bytes.len() + stride, 0);
        self.count += 1;
        self.count - 1
    }

    /// The place of the oldest.
    fn next(&mut self) -> u32 {
        let place = self.oldest;
        self.oldest = if place + 1 < self.count { place + 1 } else { 0 };
        place
    }

    /// Puts them in order, in places of this size at least.
    fn arrange(&mut self, size: usize) {
        let stride = size.max(self.stride.into()).next_multiple_of(STEP);
        let mut bytes = Vec::with_capacity(stride * self.count as usize);
        for place in self.places() {
            let end = bytes.len() + stride;
            bytes.extend_from_slice(place);
            bytes.resize(end, 0);
        }
        (self.bytes, self.stride, self.oldest) = (bytes, stride as u16, 0);
    }

    /// The oldest first.
    fn places(&self) -> impl Iterator<Item = &[u8]> {
        let stride = usize::from(self.stride).max(1);
        let (newer, older) = self.bytes.split_at(self.oldest as usize * usize::from(self.stride));
        older.chunks(stride).chain(newer.chunks(stride))
    }

    /// The lines, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Time, Line<'_>)> {
        self.places().filter_map(|place| {
            let (at, rest) = place.split_first_chunk()?;
            let (length, text) = rest.split_first_chunk()?;
            let text = text.get(..u16::from_le_bytes(*length).into())?;
            Some((Time(i64::from_le_bytes(*at)), Line::new(text)))
        })
    }
}

impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Lines {}
