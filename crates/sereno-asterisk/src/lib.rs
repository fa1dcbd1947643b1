//! Asterisk's configuration files as Asterisk reads them (`main/config.c`; 16 and 22 read alike).
//!
//! A [`Document`] is one file, byte for byte: what each of its lines says, and where in it. [`load`] goes
//! through a file and those that it includes and gives the sections as a module of Asterisk would see them:
//! templates filled in, sections continued, values appended to. Files are of no encoding, so names and
//! values are bytes. Nothing here touches a file; they come through [`Files`].

mod braces;
mod document;
mod line;
mod load;
mod section;

pub use braces::alternatives;
pub use document::{Document, Line};
pub use line::{Directive, Header, Says, Setting, Wrong};
pub use load::{Config, Files, Invalid, Place, Remark, load};
pub use section::{Section, Variable};
