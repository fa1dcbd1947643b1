#![no_main]
#[path = "../checks/date.rs"]
mod date;
libfuzzer_sys::fuzz_target!(|data: &[u8]| date::check(data));
