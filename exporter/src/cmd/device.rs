//! `--device`: where a model is trained.

use anyhow::{Context, Result};
use candle_core::Device;
use clap::ValueEnum;

/// Command-line names of candle's devices.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum DeviceName {
    /// The cores of this machine, by fused operations
    #[default]
    Cpu,
    /// The first GPU of NVIDIA, where the exporter was built with `--features cuda`
    Cuda,
    /// The first GPU of Apple, where it was built with `--features metal`
    Metal,
}

impl DeviceName {
    /// The device.
    ///
    /// # Errors
    /// There is no such device, or the exporter was built without it.
    pub fn open(self) -> Result<Device> {
        let wanted = |feature: &str| {
            format!("cannot train on {feature}: build the exporter with `--features {feature}` where there is such a GPU")
        };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0).with_context(|| wanted("cuda")),
            Self::Metal => Device::new_metal(0).with_context(|| wanted("metal")),
        }
    }
}
