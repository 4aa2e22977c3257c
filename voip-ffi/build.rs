//! The name of the shared library as programs remember it. Its number changes when a new version breaks
//! programs that were compiled with an older one.

fn main() {
    const ABI: &str = "0";
    println!("cargo::rerun-if-changed=build.rs");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos" | "ios") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libvoip.{ABI}.dylib");
        }
        Ok("windows") | Err(_) => {}
        Ok(_) => println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libvoip.so.{ABI}"),
    }
}
