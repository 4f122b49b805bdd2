//! Chooses the fast kernels from the target triple: `cfg(target_feature = "dsp")` is not set by a stable compiler, and the triple is.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let armv8m = target.starts_with("thumbv8m.main");
    // An option of the chip there, which no triple tells; Armv7E-M always has it.
    let dsp = target.starts_with("thumbv7em") || armv8m && env::var_os("CARGO_FEATURE_DSP").is_some();
    let vfp = target.starts_with("thumb") && target.ends_with("hf");
    let scalar = target.starts_with("thumb") && !dsp;
    let armv6m = target.starts_with("thumbv6m");
    let soft = target.starts_with("thumb") && !vfp;
    let names = [("armv6m", armv6m), ("armv8m", armv8m), ("dsp", dsp), ("scalar", scalar), ("soft", soft), ("vfp", vfp)];
    for (name, set) in names {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if set {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
