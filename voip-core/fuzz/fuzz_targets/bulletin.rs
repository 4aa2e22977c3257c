#![no_main]
libfuzzer_sys::fuzz_target!(|text: &str| voip_core::fuzzing::bulletin(text));
