#![no_main]
#[path = "../checks/heard.rs"]
mod heard;
libfuzzer_sys::fuzz_target!(|data: &[u8]| heard::check(data));
