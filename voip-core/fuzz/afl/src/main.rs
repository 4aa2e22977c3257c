//! The fuzz targets for AFL++, which needs no nightly Rust: `scripts/fuzz` runs them.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let target = voip_core::fuzzing::TARGETS.iter().find(|(target, _)| *target == name);
    let Some((_, target)) = target else {
        for (name, _) in voip_core::fuzzing::TARGETS {
            println!("{name}");
        }
        return;
    };
    // Panics are found by their abort; what stays alive between two inputs would hide the next.
    afl::fuzz!(|data: &[u8]| target(data));
}
