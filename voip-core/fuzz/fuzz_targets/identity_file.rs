#![no_main]
libfuzzer_sys::fuzz_target!(|text: &str| voip_core::fuzzing::identity_file(text));
