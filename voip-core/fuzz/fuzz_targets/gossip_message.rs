#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| voip_core::fuzzing::gossip_message(data));
