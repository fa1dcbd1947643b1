//! Datagrams of the kernel.

use sereno_nft::decode::{answer, attributes, elements, messages};

/// What holds for any bytes: what is read was there, and not more often than it was there.
pub fn check(data: &[u8]) {
    let mut left = data.len();
    for message in messages(data) {
        // Every message has a header and fits into what its predecessors left.
        assert!(left >= message.body.len() + 16);
        left -= message.body.len() + 16;
        if let Some(answer) = answer(&message) {
            assert_eq!(answer.seq, message.seq);
            let note = answer.note.unwrap_or_default();
            assert!(note.len() <= 80 && note.bytes().all(|b| (0x20..0x7f).contains(&b)));
        }
        let _ = (message.nft(), message.is_about("sereno"));
        assert!(elements(&message).count() <= message.body.len() / 12);
        let held: usize = attributes(message.attributes()).map(|(_, value)| value.len() + 4).sum();
        assert!(held <= message.attributes().len());
    }
}
