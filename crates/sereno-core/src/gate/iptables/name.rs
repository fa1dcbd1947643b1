//! Names as iptables and ipset can have them: they are short there.

/// Bytes of a chain's name at most: `XT_EXTENSION_MAXNAMELEN`, with its closing zero.
const CHAIN: usize = 28;
/// Bytes of a set's name at most: `IPSET_MAXNAMELEN`, with its closing zero.
const SET: usize = 31;
/// Bytes of the table's name that are kept.
const TABLE: usize = 12;
/// Bytes of a hash.
const HASH: usize = 8;

/// The names of one table. All begin with its own and a dot, which no table has in its name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn of(table: &str) -> Self {
        Self { prefix: format!("{}.", fit(table, TABLE)) }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn chain(&self, plain: &str) -> String {
        fit(&format!("{}{plain}", self.prefix), CHAIN)
    }

    pub(super) fn set(&self, plain: &str) -> String {
        fit(&format!("{}{plain}", self.prefix), SET)
    }

    /// Where what is to be in a set is written down before it is swapped in.
    pub(super) fn aside(&self, set: &str) -> String {
        format!("{}new.{}", self.prefix, hash(set))
    }
}

/// A name that fits: what is too long ends in a hash of the whole, behind a character that no table has in
/// its name either. A dot would make it look like one of the table that is called as it begins.
fn fit(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let head = name.get(..most - HASH - 1).unwrap_or_default();
    format!("{head}~{}", hash(name))
}

/// 32 bits of FNV-1a: names have to differ, nobody chooses them to be the same.
pub(super) fn hash(text: &str) -> String {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{:08x}", (sum >> 32) ^ (sum & 0xffff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_still_differ() {
        let names = Names::of("sereno");
        assert_eq!(names.chain("zone_world"), "sereno.zone_world");
        let (one, two) = ("try_zone_a-name-of-24-letters-0", "try_zone_a-name-of-24-letters-1");
        for of in [Names::chain, Names::set] {
            let (one, two) = (of(&names, one), of(&names, two));
            assert!(one != two && one.len() <= SET && one.starts_with("sereno."), "{one} {two}");
        }
        assert!(names.chain(one).len() <= CHAIN);
        let long = Names::of("a-table-of-24-letters--0");
        assert!(long.prefix().len() <= TABLE + 1 && long.chain("bans").ends_with(".bans"));
        assert!(long.aside("x").len() <= SET);
        assert!(!long.chain("bans").starts_with(Names::of("a-t").prefix()));
    }
}
