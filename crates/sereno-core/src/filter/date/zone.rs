//! Zones: the machine's, the one a jail's `logtimezone` names, and the ones dates carry.

use super::Wrong;
use super::stamp::Offset;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Where dates without a zone of their own are at home.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(super) machine: TimeZone,
    pub(super) log: Log,
}

/// What `logtimezone` says.
#[derive(Clone, Debug)]
pub(super) enum Log {
    /// Nothing: the log is written in the machine's zone.
    Machine,
    /// Minutes east of UTC, without summer time.
    Fixed(i16),
    /// A zone of the database, with its summer times; fail2ban has no such thing.
    Named(TimeZone),
}

impl Zone {
    /// Dates without a zone are local times of the machine.
    #[must_use]
    pub const fn machine(zone: TimeZone) -> Self {
        Self { machine: zone, log: Log::Machine }
    }

    /// Dates without a zone are in `text`, as fail2ban's `logtimezone` is written: an
    /// abbreviation of its list (`CET` is +1 in summer too), an offset, or both (`UTC+0300`).
    /// What is neither is looked up by `named`, which knows the database of zones
    /// (`Europe/Madrid`).
    ///
    /// # Errors
    /// When nobody knows the zone.
    pub fn log(
        self,
        text: &str,
        named: impl FnOnce(&str) -> Option<TimeZone>,
    ) -> Result<Self, Wrong> {
        let log = match offset(text) {
            Offset::Minutes(minutes) => Log::Fixed(minutes),
            Offset::Unsaid | Offset::Unknown => Log::Named(named(text).ok_or_else(|| {
                Wrong {
                    at: 0,
                    width: text.len(),
                    message: format!("there is no time zone '{text}'"),
                    remedy: "write an offset (UTC+0200), an abbreviation (CEST) or a name \
                         (Europe/Madrid)"
                        .to_owned(),
                }
            })?),
        };
        Ok(Self { log, ..self })
    }
}

/// The offset a zone's text means: an optional name of one or three to five capitals, then an
/// optional `+hh`, `+hhmm` or `+hh:mm`.
pub(super) fn offset(text: &str) -> Offset {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let (name, rest) = text.split_at(letters);
    let base = if name.is_empty() { Some(0) } else { NAMES.get(name).copied() };
    match (base, minutes(rest)) {
        (Some(base), Some(minutes)) => Offset::Minutes(base + minutes),
        _ => Offset::Unknown,
    }
}

fn minutes(text: &str) -> Option<i16> {
    let (sign, hours, minutes) = match *text.as_bytes() {
        [] => return Some(0),
        [sign, h, i] => (sign, [h, i], [b'0', b'0']),
        [sign, h, i, m, n] | [sign, h, i, b':', m, n] => (sign, [h, i], [m, n]),
        _ => return None,
    };
    let number = |[a, b]: [u8; 2]| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i16::from(a - b'0') * 10 + i16::from(b - b'0'))
    };
    let total = number(hours).filter(|hours| *hours < 20)? * 60 + number(minutes)?;
    match sign {
        b'+' => Some(total),
        b'-' => Some(-total),
        _ => None,
    }
}

static NAMES: LazyLock<HashMap<&'static str, i16>> = LazyLock::new(|| {
    let names =
        |&(minutes, names): &(i16, &'static str)| names.split(' ').map(move |name| (name, minutes));
    ABBREVIATIONS.iter().flat_map(names).collect()
});

/// Minutes east of UTC and the abbreviations fail2ban 1.0.2 reads so (`server/strptime.py`).
/// Several have other meanings elsewhere in the world; these are the ones its users know.
const ABBREVIATIONS: &[(i16, &str)] = &[
    (-720, "Y"),
    (-660, "NUT SST X"),
    (-600, "CKT HAST HST TAHT TKT W"),
    (-570, "MART MIT"),
    (-540, "AKST GAMT GIT HADT HNY V"),
    (-480, "AKDT CIST HAY HNP PST U"),
    (-420, "HAP HNR MST PDT T"),
    (-360, "CST EAST GALT HAR HNC MDT S"),
    (-300, "CDT COT EASST ECT EST HAC HNE PET R"),
    (-270, "HLV VET"),
    (-240, "AST BOT CLT COST EDT FKT GYT HAE HNA PYT Q"),
    (-210, "HNT NST"),
    (-180, "ADT ART BRT CLST FKST GFT HAA P PMST PYST SRT UYT WGT"),
    (-150, "HAT NDT"),
    (-120, "BRST FNT O PMDT UYST WGST"),
    (-60, "AZOT CVT EGT N"),
    (0, "EGST GMT UTC WET Z"),
    (60, "A CET DFT WAT WEDT WEST"),
    (120, "B CAT CEDT CEST EET SAST WAST"),
    (180, "C EAT EEDT EEST IDT MSK"),
    (210, "IRST"),
    (240, "AMT AZT D GET GST KUYT MSD MUT RET SAMT SCT"),
    (270, "AFT IRDT"),
    (300, "AMST AQTT AZST E HMT MAWT MVT PKT TFT TJT TMT UZT YEKT"),
    (330, "SLT"),
    (345, "NPT"),
    (360, "ALMT BIOT BTT F IOT KGT NOVT OMST YEKST"),
    (390, "CCT MMT"),
    (420, "CXT DAVT G HOVT ICT KRAT NOVST OMSST THA WIB"),
    (480, "ACT AWST BDT BNT CAST H HKT IRKT KRAST MYT PHT SGT ULAT WITA WST"),
    (540, "AWDT I IRKST JST KST PWT TLT WDT WIT YAKT"),
    (570, "ACST"),
    (600, "AEST K PGT VLAT YAKST YAPT"),
    (630, "ACDT LHST"),
    (660, "AEDT L LHDT MAGT NCT PONT SBT VLAST VUT"),
    (690, "NFT"),
    (720, "ANAST ANAT FJT GILT M MAGST MHT NZST PETST PETT TVT WFT"),
    (780, "FJST NZDT"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names_and_both() {
        for (text, minutes) in [
            ("UTC+0300", 180),
            ("GMT+12", 720),
            ("CEST-01", 60),
            ("CET+01:30", 150),
            ("-0045", -45),
            ("CET", 60),
            ("Z", 0),
        ] {
            assert_eq!(offset(text), Offset::Minutes(minutes), "{text}");
        }
        for text in ["WRONG-TZ", "utc", "PT", "+25", "+01:0", "CET+01 "] {
            assert_eq!(offset(text), Offset::Unknown, "{text}");
        }
    }

    #[test]
    fn a_name_of_the_database_is_asked_for_last() {
        let zone = Zone::machine(TimeZone::UTC);
        let named = |_: &str| Some(TimeZone::UTC);
        assert!(matches!(zone.clone().log("CET", named).unwrap().log, Log::Fixed(60)));
        assert!(matches!(zone.clone().log("Europe/Madrid", named).unwrap().log, Log::Named(_)));
        assert_eq!(zone.log("Nowhere/City", |_| None).unwrap_err().width, 12);
    }
}
