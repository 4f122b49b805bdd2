//! Chooses the fast kernels from the target triple: `cfg(target_feature = "dsp")` is not set by a stable compiler, and the triple is.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(armv7em)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv7em") && target.ends_with("hf")) {
        println!("cargo::rustc-cfg=armv7em");
    }
}
