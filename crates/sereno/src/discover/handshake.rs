//! What the kernel says of this machine when it answers who begins a TCP connection (ip-sysctl of its
//! documentation, `tcp_rmem` and others): what answers in its place has to say the same.

use super::text;
use sereno_core::gate::Handshake;
use std::path::Path;

/// What the headers of IPv4 and IPv6 take with that of TCP.
const HEADERS: [u32; 2] = [40, 60];
/// The smallest MTU of IPv4 and of IPv6 that is of any use (RFC 9293, 3.7.1; RFC 8200, 5).
const LEAST: [u32; 2] = [576, 1280];

/// Reads the machine's settings; what cannot be read is as usual.
#[must_use]
pub fn handshake(root: &Path) -> Handshake {
    let set = |name: &str| text(root, &format!("proc/sys/net/{name}"));
    let on = |name: &str| set(name).is_none_or(|text| text.trim() != "0");
    let usual = Handshake::default();
    let mtus = [mtu4(root), mtu6(root)];
    let mut mss = usual.mss;
    for (at, mtu) in mtus.into_iter().enumerate() {
        let room = mtu.map(|mtu| mtu.max(LEAST[at]) - HEADERS[at]);
        mss[at] = room.map_or(mss[at], |room| u16::try_from(room).unwrap_or(u16::MAX));
    }
    let most = |name: &str| set(name)?.split_whitespace().last()?.parse::<u32>().ok();
    let window = most("ipv4/tcp_rmem").max(most("core/rmem_max"));
    let scale = window.map_or(usual.scale, |window| Some(scale(window)));
    Handshake {
        mss,
        scale: scale.filter(|_| on("ipv4/tcp_window_scaling")),
        timestamps: on("ipv4/tcp_timestamps"),
        sack: on("ipv4/tcp_sack"),
    }
}

/// Whether the kernel is one of those that can take an option of TCP out of a packet. It can from 5.18 on, and
/// what wants it came later.
#[must_use]
pub fn is_newer() -> bool {
    is_6(&rustix::system::uname().release().to_string_lossy())
}

fn is_6(release: &str) -> bool {
    let major = release.split(|c: char| !c.is_ascii_digit()).next();
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 6)
}

/// By how many bits the kernel shifts windows of so many bytes at most.
fn scale(window: u32) -> u8 {
    let bits = window.checked_ilog2().unwrap_or(0).saturating_sub(15).min(14);
    u8::try_from(bits).unwrap_or(14)
}

/// The smallest MTU of those interfaces by which most are answered: of the ways to everybody, or else of
/// all ways.
fn mtu4(root: &Path) -> Option<u32> {
    let routes = text(root, "proc/net/route").unwrap_or_default();
    let rows: Vec<Vec<&str>> =
        routes.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let to_all = |row: &&Vec<&str>| {
        [1, 7].iter().all(|at| row.get(*at).is_some_and(|text| text.bytes().all(|b| b == b'0')))
    };
    // A way can have a limit of its own.
    let of = |row: &Vec<&str>| {
        let own = row.get(8).and_then(|text| text.parse().ok()).filter(|mtu| *mtu > 0);
        own.or_else(|| link(root, row.first()?))
    };
    let all = rows.iter().filter(to_all).filter_map(of).min();
    all.or_else(|| rows.iter().filter_map(of).min())
}

/// The same for IPv6.
fn mtu6(root: &Path) -> Option<u32> {
    let routes = text(root, "proc/net/ipv6_route").unwrap_or_default();
    let rows: Vec<Vec<&str>> =
        routes.lines().map(|line| line.split_whitespace().collect()).collect();
    let of = |row: &Vec<&str>| {
        row.last().filter(|name| **name != "lo").and_then(|name| link(root, name))
    };
    let to_all = |row: &&Vec<&str>| row.get(1) == Some(&"00");
    let all = rows.iter().filter(to_all).filter_map(of).min();
    all.or_else(|| rows.iter().filter_map(of).min())
}

/// The MTU of an interface, or less, if a router told that for IPv6. What is in `/proc` is of this network
/// namespace; `/sys` is of that in which it was mounted, and asked where there is no IPv6.
fn link(root: &Path, name: &str) -> Option<u32> {
    let places =
        [format!("proc/sys/net/ipv6/conf/{name}/mtu"), format!("sys/class/net/{name}/mtu")];
    places.iter().find_map(|path| text(root, path)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::tests::machine;
    use super::*;

    const HEAD: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
    const ANY: &str = "00000000000000000000000000000000";

    #[test]
    fn it_is_what_the_kernel_would_say() {
        assert_eq!(handshake(machine(&[]).path()), Handshake::default());
        let route = format!(
            "{HEAD}ppp0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\nwg0 0000080A 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
        );
        let route6 = format!("{ANY} 00 {ANY} 00 {ANY} 00000400 1 0 1 ppp0\n");
        let files = [
            ("proc/net/route", route.as_str()),
            ("proc/net/ipv6_route", &route6),
            ("sys/class/net/ppp0/mtu", "1400\n"),
            ("sys/class/net/wg0/mtu", "1420\n"),
            ("proc/sys/net/ipv6/conf/ppp0/mtu", "1492\n"),
            ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t33554432\n"),
            ("proc/sys/net/core/rmem_max", "212992\n"),
            ("proc/sys/net/ipv4/tcp_timestamps", "0\n"),
            ("proc/sys/net/ipv4/tcp_sack", "1\n"),
        ];
        let told = handshake(machine(&files).path());
        // That of the tunnel is of no importance: it is not the way to everybody.
        let wanted =
            Handshake { mss: [1452, 1432], scale: Some(10), timestamps: false, sack: true };
        assert_eq!(told, wanted);
    }

    #[test]
    fn kernels_are_told_by_their_release() {
        let newer = ["6.18.44-generic", "6.0", "10.1"].map(is_6);
        assert_eq!(newer, [true; 3]);
        assert_eq!(["5.14.0-503.el9.x86_64", "", "x"].map(is_6), [false; 3]);
    }

    #[test]
    fn odd_settings_are_borne() {
        let route = format!("{HEAD}eth0 0000080A 00000000 0001 0 0 0 0000FFFF 1400 0 0\nx\n\n");
        let files = [
            ("proc/net/route", route.as_str()),
            ("proc/net/ipv6_route", "x\n"),
            ("sys/class/net/x/mtu", "68\n"),
            ("proc/sys/net/ipv4/tcp_rmem", "4096 131072 4294967295\n"),
            ("proc/sys/net/ipv4/tcp_window_scaling", "0\n"),
        ];
        let told = handshake(machine(&files[..2]).path());
        assert_eq!(told.mss, [1360, 1440], "a way's own");
        let told = handshake(machine(&files).path());
        assert_eq!((told.mss, told.scale), ([536, 1220], None), "never less than is of use");
        assert_eq!((scale(0), scale(65_535), scale(6_291_456), scale(u32::MAX)), (0, 0, 7, 14));
    }
}
