#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| voip_core::fuzzing::relay_client(data));
