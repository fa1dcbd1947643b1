//! Names of files with alternatives in them.

/// Names that one can stand for, at most.
const MOST: usize = 1000;

/// What a name with `{a,b}` in it stands for, in its order, as glob(3) says it with `GLOB_BRACE`. Braces that
/// do not close, and `{}`, are what they are.
#[must_use]
pub fn alternatives(name: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut waiting = vec![name.to_owned()];
    while let Some(name) = waiting.pop() {
        let found = first(&name).map(|(head, inside, tail)| (head, parts(inside), tail));
        match found {
            Some((head, parts, tail)) if done.len() + waiting.len() + parts.len() <= MOST => {
                let each = parts.iter().rev().map(|part| format!("{head}{part}{tail}"));
                waiting.extend(each);
            }
            _ => done.push(name),
        }
    }
    done
}

/// What stands before, in and behind the first braces.
fn first(name: &str) -> Option<(&str, &str, &str)> {
    let open =
        name.match_indices('{').map(|(at, _)| at).find(|at| !name[*at..].starts_with("{}"))?;
    let mut depth = 0;
    for (at, c) in name[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&name[..open], &name[open + 1..open + at], &name[open + at + 1..]));
        }
    }
    None
}

/// What stands between commas that are in no braces of their own.
fn parts(inside: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_several() {
        assert_eq!(alternatives("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(alternatives("{a,b}{c,d}"), ["ac", "ad", "bc", "bd"]);
        assert_eq!(alternatives("a{,b}"), ["a", "ab"]);
        for plain in ["", "sip.conf", "a{b", "a}b", "{}"] {
            assert_eq!(alternatives(plain), [plain]);
        }
        assert!(alternatives(&"{a,b}".repeat(40)).len() <= MOST);
        assert!(alternatives(&format!("{{{}}}", ",".repeat(5000))).len() <= MOST);
    }
}
