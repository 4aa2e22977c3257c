//! A program with sound cards starts without libasound, which is loaded when it asks for them.

#![allow(clippy::unwrap_used)]
#![cfg(all(feature = "devices", target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::fs;
use voip_core::Duration;

fn is_loaded() -> bool {
    fs::read_to_string("/proc/self/maps").unwrap().contains("/libasound.so")
}

#[test]
fn libasound_is_loaded_by_the_first_question_for_devices() {
    assert!(!is_loaded(), "a function of it has no stand-in in io/sound/libasound.s");
    voip_core::devices(Duration::from_secs(20)).unwrap();
    assert!(is_loaded(), "the build needs it, so this machine has it");
}
