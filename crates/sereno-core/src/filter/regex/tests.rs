//! Tests of whole expressions; `tests/python_regex.rs` compares with Python itself.

use super::*;

fn find(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let regex =
        Regex::compile(pattern, Options { raw_or_dns: true, ..Options::default() }).unwrap();
    let mut room = Room::new();
    let text = format!("{text}\n");
    regex.search(&text, &mut room).unwrap().then(|| {
        (0..regex.groups as usize).map(|i| room.get(i).map(|r| text[r].to_owned())).collect()
    })
}

fn whole(pattern: &str, text: &str) -> Option<String> {
    find(pattern, text).and_then(|groups| groups[0].clone())
}

#[test]
fn smoke() {
    assert_eq!(whole("a+b", "xaab").unwrap(), "aab");
    assert_eq!(whole("^<HOST>$", "10.0.0.1").unwrap(), "10.0.0.1");
    assert_eq!(whole(r"(?<!a)b", "abb").unwrap(), "b");
}
