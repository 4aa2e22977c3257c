#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| voip_core::fuzzing::mesh(data));
