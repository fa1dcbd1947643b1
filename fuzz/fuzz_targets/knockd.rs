#![no_main]
#[path = "../checks/knockd.rs"]
mod knockd;
libfuzzer_sys::fuzz_target!(|data: &[u8]| knockd::check(data));
