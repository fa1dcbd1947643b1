//! Networks of countries and of autonomous systems, from a database on this machine in MaxMind's format
//! (MaxMind DB File Format Specification 2.0).

use crate::words;
use maxminddb::{PathElement, Reader};
use sereno_config::{ListConf, Origin};
use sereno_core::addr::Prefix;
use sereno_core::gate::list::{List, ends};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where packages and `geoipupdate` put databases.
const FOLDERS: [&str; 2] = ["/var/lib/GeoIP", "/usr/share/GeoIP"];
const FILES: [&str; 6] = [
    "GeoLite2-Country.mmdb",
    "GeoIP2-Country.mmdb",
    "GeoLite2-City.mmdb",
    "dbip-country-lite.mmdb",
    "GeoLite2-ASN.mmdb",
    "dbip-asn-lite.mmdb",
];
/// Where a record has its country: of the network, or of who registered it.
const COUNTRY: [[&str; 2]; 2] = [["country", "iso_code"], ["registered_country", "iso_code"]];
const SYSTEM: [&str; 1] = ["autonomous_system_number"];

/// The databases of a list: those it names, or what there is.
pub(super) fn databases(conf: &ListConf) -> Vec<PathBuf> {
    if !conf.from.iter().any(is_place) {
        return Vec::new();
    }
    if !conf.database.is_empty() {
        return conf.database.clone();
    }
    let all = FOLDERS.iter().flat_map(|folder| FILES.map(|file| Path::new(folder).join(file)));
    all.filter(|path| path.is_file()).collect()
}

fn is_place(origin: &Origin) -> bool {
    matches!(origin, Origin::Country(_) | Origin::System(_))
}

/// All networks of the countries and systems that a list names.
///
/// # Errors
/// A sentence: there is no database, one cannot be read, or one knows nothing of what is asked.
pub(super) fn networks(conf: &ListConf) -> Result<List, String> {
    let databases = databases(conf);
    let mut ranges = Vec::new();
    let mut open: Vec<&Origin> = conf.from.iter().filter(|origin| is_place(origin)).collect();
    for path in &databases {
        let told = |why: String| format!("{}: {why}", path.display());
        let reader = Reader::open_readfile(path).map_err(|error| told(error.to_string()))?;
        // What is damaged is not walked.
        reader.verify().map_err(|error| told(error.to_string()))?;
        let kind = reader.metadata().database_type.to_ascii_lowercase();
        let systems = kind.contains("asn") || kind.contains("isp");
        open.retain(|origin| matches!(origin, Origin::System(_)) != systems);
        let wanted = |origin: &&Origin| matches!(origin, Origin::System(_)) == systems;
        let origins: Vec<&Origin> =
            conf.from.iter().filter(|o| is_place(o)).filter(wanted).collect();
        if origins.is_empty() {
            continue;
        }
        collect(&reader, &origins, conf.most, &mut ranges).map_err(told)?;
    }
    match open.first() {
        None => Ok(ranges.into_iter().collect()),
        Some(Origin::System(_)) => Err(words::list_no_database("GeoLite2-ASN.mmdb")),
        Some(_) => Err(words::list_no_database("GeoLite2-Country.mmdb")),
    }
}

type Ranges = Vec<(std::net::IpAddr, std::net::IpAddr)>;

fn collect(
    reader: &Reader<Vec<u8>>,
    origins: &[&Origin],
    most: usize,
    ranges: &mut Ranges,
) -> Result<(), String> {
    // Many networks share a record.
    let mut known: BTreeMap<usize, bool> = BTreeMap::new();
    let walk = reader.networks(Default::default()).map_err(|error| error.to_string())?;
    for found in walk {
        let found = found.map_err(|error| error.to_string())?;
        let Some(offset) = found.offset() else { continue };
        let text = |path: [&str; 2]| -> Option<String> {
            found.decode_path(&path.map(PathElement::Key)).ok().flatten()
        };
        let meant = *known.entry(offset).or_insert_with(|| {
            let country = COUNTRY.into_iter().find_map(text);
            let system: Option<u32> =
                found.decode_path(&SYSTEM.map(PathElement::Key)).ok().flatten();
            origins.iter().any(|origin| match origin {
                Origin::Country(code) => country.as_ref() == Some(code),
                Origin::System(number) => system == Some(*number),
                _ => false,
            })
        });
        if !meant {
            continue;
        }
        let network = found.network().map_err(|error| error.to_string())?;
        ranges.extend(Prefix::new(network.network(), network.prefix()).map(ends));
        if ranges.len() > most {
            return Err(words::list_too_many(most));
        }
    }
    Ok(())
}
