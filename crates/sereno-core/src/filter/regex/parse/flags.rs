//! `(?i)` and `(?i-s:...)`.

use super::{Flags, Parser, Result};

impl Parser<'_> {
    /// Flags of which the first was read. `None`: they are for the whole expression.
    pub(super) fn flags(
        &mut self,
        c: char,
        from: usize,
        flags: Flags,
        first: bool,
    ) -> Result<Option<Flags>> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut turning_off = false;
        let mut c = Some(c);
        loop {
            match c {
                Some(')') if !turning_off => {
                    self.add_global(&on, from, first)?;
                    return Ok(None);
                }
                Some(':') if !turning_off || !off.is_empty() => break,
                Some('-') if !turning_off => turning_off = true,
                Some(c) if "imsxau".contains(c) => {
                    if turning_off { &mut off } else { &mut on }.push(c);
                }
                None => return Err(self.unclosed(from)),
                Some(_) => {
                    let remedy = "the flags are a i m s u x: (?i) before everything, (?i:...) or (?i-s:...) for a part";
                    return Err(self.fault(from, "there is no such flag", remedy));
                }
            }
            c = self.next();
        }
        let types = |flags: &str| (flags.contains('a'), flags.contains('u'));
        if off.contains(['a', 'u'])
            || types(&on) == (true, true)
            || on.contains(|c| off.contains(c))
        {
            let message = "these flags contradict each other";
            return Err(self.fault(
                from,
                message,
                "a and u exclude each other and cannot be switched off",
            ));
        }
        Ok(Some(flags.with(&on, true).with(&off, false)))
    }

    fn add_global(&mut self, on: &str, from: usize, first: bool) -> Result<()> {
        if !first {
            let message = "flags for the whole expression stand at its very beginning";
            let remedy =
                format!("move them there, or write (?{on}:...) around the part they are for");
            return Err(self.fault(from, message, remedy));
        }
        let mut flags = self.global;
        for c in on.chars() {
            flags = flags.with(c.encode_utf8(&mut [0; 4]), true);
            flags.ascii |= self.global.ascii;
            flags.unicode |= self.global.unicode;
        }
        if (on.contains('a') || self.global.ascii) && (on.contains('u') || self.global.unicode) {
            return Err(self.fault(
                from,
                "a and u exclude each other",
                "remove one of the two flags",
            ));
        }
        self.global = flags;
        Ok(())
    }
}

impl Flags {
    fn with(mut self, letters: &str, value: bool) -> Self {
        for letter in letters.chars() {
            match letter {
                'i' => self.ignore_case = value,
                'm' => self.multiline = value,
                's' => self.dot_all = value,
                'x' => self.verbose = value,
                'a' => (self.ascii, self.unicode) = (true, false),
                'u' => (self.ascii, self.unicode) = (false, true),
                _ => {}
            }
        }
        self
    }
}
