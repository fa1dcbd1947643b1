//! Frames of the control socket, and of the pipe between the eyes and the hands.

use sereno_core::gate::{Contents, Gate, render};
use sereno_core::time::Time;
use sereno_wire::control::{Reply, Request};
use sereno_wire::frame::{Frames, REPLY_CAP, REQUEST_CAP, frame};
use sereno_wire::orders::{Order, Report};
use std::fmt::Debug;

/// The first byte says in which pieces the others arrive, and whether a length is put before
/// them. What holds for any bytes: whatever is understood is written and understood again as
/// the same, the pieces do not matter, and a gate that is ordered can be made or is refused.
pub fn check(data: &[u8]) {
    let Some((&how, body)) = data.split_first() else { return };
    let mut stream = Vec::new();
    if how & 0x80 != 0 {
        stream.extend_from_slice(&(body.len() as u32).to_be_bytes());
    }
    stream.extend_from_slice(body);
    let step = usize::from(how & 0x7f) + 1;
    said::<Request>(&stream, step, REQUEST_CAP);
    said::<Reply>(&stream, step, REPLY_CAP);
    said::<Report>(&stream, step, REPLY_CAP);
    for order in said::<Order>(&stream, step, REPLY_CAP) {
        let Order::Install { gate, holds, passes, hits } = order else { continue };
        let contents = Contents { holds: &holds, passes: &passes, hits: &hits, streams: &[] };
        match Gate::try_from(*gate) {
            Ok(gate) => assert!(render(&gate, contents, Time::default()).contains(gate.table())),
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

/// Everything understood in a stream.
fn said<T>(stream: &[u8], step: usize, cap: usize) -> Vec<T>
where
    T: serde::Serialize + for<'de> serde::Deserialize<'de> + PartialEq + Debug,
{
    let whole = cut(stream, stream.len().max(1), cap);
    assert_eq!(cut::<T>(stream, step, cap), whole);
    for message in &whole {
        let again = frame(message).ok().map(|bytes| cut::<T>(&bytes, step, REPLY_CAP));
        assert_eq!(again.as_deref(), Some(std::slice::from_ref(message)));
    }
    whole
}

fn cut<T: for<'de> serde::Deserialize<'de>>(stream: &[u8], step: usize, cap: usize) -> Vec<T> {
    let (mut frames, mut all) = (Frames::new(cap), Vec::new());
    for piece in stream.chunks(step) {
        frames.push(piece);
        loop {
            match frames.take() {
                Ok(Some(message)) => all.push(message),
                Ok(None) => break,
                Err(_) => return all,
            }
        }
    }
    all
}
