//! Packets of the kernel's log. An input is a prefix letter and the packet; its messages are made
//! here, so that the fuzzer spends its time behind them.

use sereno_nft::Why;
use sereno_nft::decode::messages;
use sereno_nft::heard::heard;

/// The type of a packet's message: subsystem 4, number 0.
const PACKET: u16 = 0x400;

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// What holds for any bytes: what is told was in the packet, and is in its one form.
pub fn check(data: &[u8]) {
    for message in messages(data) {
        let _ = heard(&message);
    }
    let Some((&prefix, packet)) = data.split_first() else { return };
    let packet = &packet[..packet.len().min(4096)];
    let mut bytes = vec![0; 20];
    bytes[4..6].copy_from_slice(&PACKET.to_ne_bytes());
    attribute(&mut bytes, 10, &[prefix, 0]);
    attribute(&mut bytes, 9, packet);
    let len = (bytes.len() as u32).to_ne_bytes();
    bytes[..4].copy_from_slice(&len);
    let mut all = messages(&bytes);
    let Some(told) = all.next().and_then(|message| heard(&message)) else { return };
    assert!(all.next().is_none() && told.at.is_none());
    assert_eq!(told.source, sereno_core::addr::canonical(told.source));
    assert_eq!(told.destination, sereno_core::addr::canonical(told.destination));
    assert_eq!(told.source.is_ipv4(), packet[0] >> 4 == 4);
    assert!(told.flags.0 < 64);
    match told.why {
        Why::Datagram => assert_eq!(prefix, b's'),
        Why::Begins | Why::Hit | Why::Full | Why::Closed => assert!(told.payload.is_empty()),
    }
    if !told.payload.is_empty() {
        // An IP header and the datagram's own come before it.
        assert!(told.payload.len() + 28 <= packet.len());
        assert!(packet.windows(told.payload.len()).any(|part| part == told.payload));
    }
    let port = told.port.to_be_bytes();
    assert!(packet.windows(2).any(|part| part == port));
}
