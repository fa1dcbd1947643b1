#![no_main]
#[path = "../checks/asterisk.rs"]
mod asterisk;
libfuzzer_sys::fuzz_target!(|data: &[u8]| asterisk::check(data));
