//! Asterisk's configuration files.

use sereno_asterisk::{Document, Files, Invalid, Says, alternatives, load};

/// Two files that can include each other.
struct Two<'a>([&'a [u8]; 2]);

impl Files for Two<'_> {
    fn matching(&self, name: &[u8]) -> Vec<String> {
        let name = String::from_utf8_lossy(name);
        alternatives(&name).into_iter().filter(|name| name == "a" || name == "b").collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        Some(self.0[usize::from(path == "b")].to_vec())
    }
}

/// A file and, behind a zero, another one. What holds for any: lines are the whole file, and what they say
/// stands in them; what they mean has a place that there is, and reading again means the same.
pub fn check(data: &[u8]) {
    let cut = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let two = Two([&data[..cut], data.get(cut + 1..).unwrap_or_default()]);
    let documents = two.0.map(|bytes| Document::read(bytes.to_vec()));
    for (document, bytes) in documents.iter().zip(two.0) {
        let mut end = 0;
        for line in document.lines() {
            assert_eq!(line.range.start, end);
            end = line.range.end;
            if let Says::Setting(setting) = &line.says {
                assert!(line.range.start <= setting.at.start && setting.at.end <= end);
                assert!(!setting.name.is_empty());
            }
        }
        assert_eq!((end, document.bytes()), (bytes.len(), bytes));
    }
    let loaded = load(&two, "a");
    assert_eq!(loaded, load(&two, "a"));
    let config = loaded.unwrap_or_else(|refused| {
        assert_ne!(refused.1, Invalid::Missing);
        refused.2
    });
    let places = config.sections.iter().flat_map(|section| {
        let of_variables = section.variables.iter().map(|one| &one.place);
        [&section.place].into_iter().chain(of_variables)
    });
    for place in places.chain(config.remarks.iter().map(|(place, _)| place)) {
        let document = &documents[usize::from(&*place.file == "b")];
        let last = document.lines().last().map_or(1, |line| line.number);
        assert!((1..=last).contains(&place.line), "{place}");
    }
}
