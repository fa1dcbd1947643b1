#![no_main]
#[path = "../checks/tree.rs"]
mod tree;
libfuzzer_sys::fuzz_target!(|data: &[u8]| tree::check(data));
