//! Hands the linker the memory map and the scripts of cortex-m-rt and defmt, and tells the code of Armv6-M by the target triple.

use std::path::PathBuf;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut memory = fs::read_to_string("memory.x")?;
    if env::var_os("CARGO_FEATURE_PEERS").is_some() {
        // Other libraries are larger, copy weights to RAM and have whole tensors on the stack.
        let places = [
            ("LENGTH = 80K", "LENGTH = 256K"),
            ("0x00014000, LENGTH = 944K", "0x00040000, LENGTH = 768K"),
            ("LENGTH = 16K", "LENGTH = 64K"),
            ("0x20004000, LENGTH = 240K", "0x20010000, LENGTH = 704K"),
        ];
        for (small, large) in places {
            if !memory.contains(small) {
                return Err(format!("memory.x has no {small}").into());
            }
            memory = memory.replace(small, large);
        }
    }
    fs::write(out.join("memory.x"), memory)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(armv6m)");
    if env::var("TARGET")?.starts_with("thumbv6m") {
        println!("cargo:rustc-cfg=armv6m");
    }
    // Without --nmagic the linker aligns sections to pages and moves them off the flash addresses that memory.x gives.
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    Ok(())
}
