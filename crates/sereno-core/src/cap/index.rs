//! Where the entries of a map are: a table of hashes and places, small enough to stay near.
//!
//! Open addressing, at most half full. The keys themselves stand with the entries, so that a look
//! costs a line of this table and the entry.

use std::hint::black_box;

/// The hash of an entry in the upper half, its place and one in the lower; 0 where none is.
type Cell = u64;

/// A table of places.
#[derive(Debug, Default)]
pub(super) struct Index {
    cells: Vec<Cell>,
    len: usize,
}

impl Index {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place of an entry with this hash for which `is` holds.
    #[inline]
    pub(super) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len().wrapping_sub(1);
        let mut at = hash as usize;
        loop {
            // An empty table has no cell at all; another one always has an empty one.
            let cell = *self.cells.get(at & mask)?;
            if cell == 0 {
                return None;
            }
            if (cell >> 32) as u32 == hash && is(cell as u32 - 1) {
                return Some(cell as u32 - 1);
            }
            at = at.wrapping_add(1);
        }
    }

    /// Touches where an entry with this hash would stand.
    #[inline]
    pub(super) fn glance(&self, hash: u32) {
        black_box(self.cells.get(hash as usize & self.cells.len().wrapping_sub(1)).copied());
    }

    /// Adds an entry that is not there.
    pub(super) fn add(&mut self, hash: u32, place: u32) {
        if (self.len + 1) * 2 > self.cells.len() {
            self.grow();
        }
        self.len += 1;
        self.put(u64::from(hash) << 32 | u64::from(place + 1));
    }

    fn put(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = (cell >> 32) as usize & mask;
        while self.cells[at] != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    fn grow(&mut self) {
        let more = (self.cells.len() * 2).max(8);
        let old = std::mem::replace(&mut self.cells, vec![0; more]);
        old.into_iter().filter(|cell| *cell != 0).for_each(|cell| self.put(cell));
    }

    /// Takes out the entry with this hash at this place.
    pub(super) fn remove(&mut self, hash: u32, place: u32) {
        if self.cells.is_empty() {
            return;
        }
        let mask = self.cells.len() - 1;
        let wanted = u64::from(hash) << 32 | u64::from(place + 1);
        let mut hole = hash as usize & mask;
        while self.cells[hole] != wanted {
            if self.cells[hole] == 0 {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.len -= 1;
        // Those behind it move up, unless that would be before where they belong.
        let mut at = (hole + 1) & mask;
        while self.cells[at] != 0 {
            let home = (self.cells[at] >> 32) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = self.cells[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.cells[hole] = 0;
    }
}
