//! The targets that the firmware is built for, and who runs their images.

use fathom_host_sim::firmware;
use fathom_host_sim::machine::cores::{self, CoreSpec};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A core on which an image is tested.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The triple that its image is built for.
    pub triple: &'static str,
    /// The core for host-sim.
    pub core: &'static CoreSpec,
    /// QEMU's board for it.
    pub qemu: Qemu,
}

/// A board of QEMU's with memory where the image expects it.
#[derive(Clone, Copy, Debug)]
pub struct Qemu {
    /// The arguments that choose it.
    pub arguments: &'static [&'static str],
    /// Bytes of flash for a model.
    pub flash: usize,
    /// Bytes of RAM for its arena.
    pub ram: usize,
}

const fn mps2(arguments: &'static [&'static str]) -> Qemu {
    Qemu { arguments, flash: 944 << 10, ram: 230 << 10 }
}

/// Texas Instruments' LM3S6965, one of the few boards of QEMU's that take any core. Of its 256 KiB of flash and 64 KiB of RAM an image takes
/// 80 KiB and 20 KiB; what lies beyond reads as zero, without a fault.
const fn lm3s6965(arguments: &'static [&'static str]) -> Qemu {
    Qemu { arguments, flash: (256 - 80) << 10, ram: (64 - 20) << 10 }
}

/// What the firmware is built for unless another target is named.
pub const CORTEX_M4: Target =
    Target { triple: "thumbv7em-none-eabihf", core: &cores::CORTEX_M4, qemu: mps2(&["-M", "mps2-an386"]) };

/// One core of each kind. QEMU 7.2 has no Cortex-M0+, but a Cortex-M0 executes the same instructions. Its Cortex-M33 starts in the secure
/// state, of which an image that stays there sees nothing.
pub const TARGETS: [Target; 6] = [
    Target {
        triple: "thumbv6m-none-eabi",
        core: &cores::CORTEX_M0PLUS,
        qemu: lm3s6965(&["-M", "lm3s6965evb", "-cpu", "cortex-m0"]),
    },
    Target { triple: "thumbv7m-none-eabi", core: &cores::CORTEX_M3, qemu: mps2(&["-M", "mps2-an385"]) },
    Target { triple: "thumbv7em-none-eabi", core: &cores::CORTEX_M4_NOFPU, qemu: mps2(&["-M", "mps2-an386"]) },
    CORTEX_M4,
    Target { triple: "thumbv7em-none-eabihf", core: &cores::CORTEX_M7, qemu: mps2(&["-M", "mps2-an500"]) },
    Target {
        triple: "thumbv8m.main-none-eabihf",
        core: &cores::CORTEX_M33,
        qemu: lm3s6965(&["-M", "lm3s6965evb", "-cpu", "cortex-m33"]),
    },
];

/// Images that were built here, by triple.
type Built = Mutex<BTreeMap<&'static str, PathBuf>>;
const BUILDS: &str = "firmware/build-image builds the image";

impl Target {
    /// The image for it that `make test` built (its path is a line of `FATHOM_IMAGES`), or builds it.
    ///
    /// # Panics
    /// The image cannot be built.
    pub fn image(&self) -> PathBuf {
        static BUILT: Built = Mutex::new(BTreeMap::new());
        self.built_or("FATHOM_IMAGES", &BUILT, |workspace| firmware::build(workspace, self.triple).expect(BUILDS))
    }

    /// The image for it of int8 models alone: a line of `FATHOM_INT8_IMAGES`, or it is built.
    ///
    /// # Panics
    /// The image cannot be built.
    pub fn int8_image(&self) -> PathBuf {
        static BUILT: Built = Mutex::new(BTreeMap::new());
        self.built_or("FATHOM_INT8_IMAGES", &BUILT, |workspace| firmware::build_int8(workspace, self.triple).expect(BUILDS))
    }

    fn built_or(&self, variable: &str, built: &Built, build: impl Fn(&Path) -> PathBuf) -> PathBuf {
        let images = std::env::var(variable).unwrap_or_default();
        // TARGET/PROFILE/IMAGE
        let is_of_target = |path: &&Path| path.ancestors().nth(2).is_some_and(|folder| folder.ends_with(self.triple));
        if let Some(path) = images.lines().map(Path::new).find(is_of_target) {
            return path.into();
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        built.lock().expect("every build succeeds").entry(self.triple).or_insert_with(|| build(&workspace)).clone()
    }
}
