#![no_main]
#[path = "../checks/pattern.rs"]
mod pattern;
libfuzzer_sys::fuzz_target!(|data: &[u8]| pattern::check(data));
