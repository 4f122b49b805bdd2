//! The targets that the firmware is built for, and who runs their images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A core on which an image is tested.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The triple that its image is built for.
    pub triple: &'static str,
    /// The core's name for host-sim.
    pub core: &'static str,
    /// QEMU's arguments for a board with that core and with memory where the image expects it.
    pub qemu: &'static [&'static str],
}

/// What the firmware's own memory map is made for.
pub const CORTEX_M4: Target = Target { triple: "thumbv7em-none-eabihf", core: "cortex-m4", qemu: &["-M", "mps2-an386"] };

/// One core of each kind. QEMU's board for the first and the last is one of the few that take any core; it has 256 KiB of flash and
/// 64 KiB of RAM, enough for small models. Armv8-M starts in its secure state there, of which an image that stays in it sees nothing.
/// QEMU 7.2 has no Cortex-M0+: a Cortex-M0 executes the same instructions.
pub const TARGETS: [Target; 6] = [
    Target { triple: "thumbv6m-none-eabi", core: "cortex-m0plus", qemu: &["-M", "lm3s6965evb", "-cpu", "cortex-m0"] },
    Target { triple: "thumbv7m-none-eabi", core: "cortex-m3", qemu: &["-M", "mps2-an385"] },
    Target { triple: "thumbv7em-none-eabi", core: "cortex-m4-nofpu", qemu: &["-M", "mps2-an386"] },
    CORTEX_M4,
    Target { triple: "thumbv7em-none-eabihf", core: "cortex-m7", qemu: &["-M", "mps2-an500"] },
    Target { triple: "thumbv8m.main-none-eabihf", core: "cortex-m33", qemu: &["-M", "lm3s6965evb", "-cpu", "cortex-m33"] },
];

impl Target {
    /// The image for it that `make test` built (its path is a line of `FATHOM_IMAGES`), or builds it.
    ///
    /// # Panics
    /// The image cannot be built.
    pub fn image(&self) -> PathBuf {
        let images = std::env::var("FATHOM_IMAGES").unwrap_or_default();
        // TARGET/PROFILE/IMAGE
        let is_of_target = |path: &&Path| path.ancestors().nth(2).is_some_and(|folder| folder.ends_with(self.triple));
        if let Some(path) = images.lines().map(Path::new).find(is_of_target) {
            return path.into();
        }
        static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
        let build = || {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            fathom_host_sim::firmware::build(&workspace, self.triple).expect("firmware/build-image builds the image")
        };
        BUILT.lock().expect("every build succeeds").entry(self.triple).or_insert_with(build).clone()
    }
}
