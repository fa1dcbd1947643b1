#![no_main]
#[path = "../checks/knock.rs"]
mod knock;
libfuzzer_sys::fuzz_target!(|data: &[u8]| knock::check(data));
