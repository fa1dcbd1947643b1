#![no_main]
#[path = "../checks/line.rs"]
mod line;
libfuzzer_sys::fuzz_target!(|data: &[u8]| line::check(data));
