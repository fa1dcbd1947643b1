#![no_main]
#[path = "../checks/invited.rs"]
mod invited;
libfuzzer_sys::fuzz_target!(|data: &[u8]| invited::check(data));
