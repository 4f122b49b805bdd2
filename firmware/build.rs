//! Hands the linker the memory map and the scripts of cortex-m-rt and defmt, and tells the code of Armv6-M by the target triple.

use std::path::PathBuf;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::copy("memory.x", out.join("memory.x"))?;
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
