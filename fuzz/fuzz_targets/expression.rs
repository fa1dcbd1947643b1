#![no_main]
#[path = "../checks/expression.rs"]
mod expression;
libfuzzer_sys::fuzz_target!(|data: &[u8]| expression::check(data));
