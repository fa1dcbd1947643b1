//! What the base policy asks of a packet.

use super::Source;
use crate::addr::Prefix;
use crate::gate::policy::Rate;
use crate::gate::{Family, PortRange};
use crate::time::Time;

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is of this family.
    Of(Family),
    /// Its family is in the set.
    FamilyIn(String),
    /// It comes from this interface.
    On(String),
    /// It leaves by this interface.
    Leaves(String),
    /// An answer to it would leave by the interface it came from.
    WayBack,
    /// It is to this network.
    ToAddr(Prefix),
    /// It is of the protocol with this number.
    Number(u8),
    /// It is a message of ICMP or ICMPv6 of this type.
    Icmp(Family, u8),
    /// Its type of ICMP or ICMPv6 is in the set.
    IcmpIn(Family, String),
    /// It has these bits of the mark.
    Marked(u32),
    /// It comes before then.
    Before(Time),
    /// It goes to this machine itself.
    ToLoopback,
    /// It is from an address that is not this machine's.
    Foreign,
    /// Connection tracking takes it for a beginning.
    New,
    /// It goes the way in which what it belongs to began.
    Begun,
    /// What UDP carries in it begins like an answer of SIP (RFC 3261, 7.2).
    SipAnswer,
    /// It is a mini frame of IAX2 (RFC 5456, 8.1.2), if it is of IAX2: voice, mostly.
    MiniFrame,
    /// It is TCP, and does not begin a connection.
    MidStream,
    /// It is TCP, and says that something arrived; it neither begins nor breaks off.
    Acks,
    /// It is TCP, and breaks off.
    Breaks,
    /// A program of this machine listens to where it goes.
    Heard,
    /// It is TCP of a connection in the set.
    Stream(Family, String),
    /// It is TCP, the other way, of a connection in the set.
    StreamBack(Family, String),
    /// It is from these ports.
    FromPorts(PortRange),
    /// Its source is in the set of ranges.
    FromRange(Family, String),
    /// Its destination is in the set of ranges.
    ToRange(Family, String),
    /// It is TCP, and data that is to be handed over at once (PSH; RFC 9293, 3.9.1.2): what is sent last of a
    /// piece is.
    Pushed,
    /// It belongs to what is under way, or is related to that.
    Going,
    /// Connection tracking can make nothing of it.
    Invalid,
    /// Its masked source begins more than this. The set has the counts; the rule ends here if there
    /// is no room in it.
    Over(Source, String, Rate),
    /// More than this come to this test.
    Rush(Rate),
    /// Its masked source has more connections than this.
    Crowded(Source, String, u32),
}
