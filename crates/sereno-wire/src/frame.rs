//! Frames: a length, then JSON.

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// The most a client may send in one frame, in bytes.
pub const REQUEST_CAP: usize = 64 << 10;
/// The most the program sends in one frame, in bytes.
pub const REPLY_CAP: usize = 4 << 20;

/// A message as a frame.
///
/// # Errors
/// When the message cannot be written as JSON, or is longer than [`REPLY_CAP`].
pub fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, String> {
    let mut out = vec![0; 4];
    serde_json::to_writer(&mut out, message).map_err(|e| e.to_string())?;
    let length = out.len() - 4;
    if length > REPLY_CAP {
        return Err(format!("a message of {length} bytes is longer than a frame may be"));
    }
    out[..4].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(out)
}

/// Bytes as they arrive, cut into frames.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    used: usize,
    cap: usize,
}

impl Frames {
    /// A cutter that refuses frames of more than `cap` bytes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { buffer: Vec::new(), used: 0, cap }
    }

    /// Adds bytes that arrived. At most a frame and what came with it is kept, provided that
    /// [`Frames::take`] is called until it has nothing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// When a frame is too long or is not the message expected; the conversation is over then.
    pub fn take<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, String> {
        let rest = &self.buffer[self.used..];
        let Some((head, body)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.cap {
            return Err(format!("a frame of {length} bytes; at most {} are allowed", self.cap));
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(body).map_err(|e| format!("not understood: {e}"))?;
        self.used += 4 + length;
        Ok(Some(message))
    }
}

/// Writes a message to a blocking stream.
///
/// # Errors
/// When writing fails.
pub fn send<T: Serialize>(stream: &mut impl Write, message: &T) -> io::Result<()> {
    let bytes = frame(message).map_err(io::Error::other)?;
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Reads a message from a blocking stream; `None` at its end.
///
/// # Errors
/// When reading fails, the stream ends inside a frame, or the message is not understood.
pub fn receive<T: for<'de> Deserialize<'de>>(
    stream: &mut impl Read,
    frames: &mut Frames,
) -> io::Result<Option<T>> {
    let mut chunk = [0; 16 << 10];
    loop {
        if let Some(message) = frames.take().map_err(io::Error::other)? {
            return Ok(Some(message));
        }
        match stream.read(&mut chunk)? {
            0 if frames.buffer.len() > frames.used => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the conversation broke off",
                ));
            }
            0 => return Ok(None),
            read => frames.push(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200) {
            let mut frames = Frames::new(64);
            let at = at.min(bytes.len());
            for piece in [&bytes[..at], &bytes[at..]] {
                frames.push(piece);
                while let Ok(Some(_)) = frames.take::<Request>() {}
            }
        }

        #[test]
        fn what_is_framed_comes_out(texts in proptest::collection::vec(".{0,20}", 0..5), step in 1usize..9) {
            let stream: Vec<u8> = texts.iter().flat_map(|t| frame(t).unwrap()).collect();
            let (mut frames, mut got) = (Frames::new(1024), Vec::<String>::new());
            for piece in stream.chunks(step) {
                frames.push(piece);
                while let Some(text) = frames.take().unwrap() {
                    got.push(text);
                }
            }
            prop_assert_eq!(got, texts);
        }
    }

    #[test]
    fn a_long_frame_is_refused_by_its_length_alone() {
        let mut frames = Frames::new(64);
        frames.push(&[0xff, 0xff, 0xff, 0xff]);
        assert!(frames.take::<String>().is_err());
    }
}
