#![no_main]
#[path = "../checks/spa.rs"]
mod spa;
libfuzzer_sys::fuzz_target!(|data: &[u8]| spa::check(data));
