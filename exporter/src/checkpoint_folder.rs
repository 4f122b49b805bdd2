//! A checkpoint's folder as commands see it: configuration, tensors and, once calibrated, operating points.

use crate::checkpoint::{self, CheckpointError, Tensors};
use crate::config::Config;
use fathom::format::{Element, OperatingPoint, Shape};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// File of the operating points.
pub const CALIBRATION_FILE: &str = "calibration.json";

/// Calibrated operating points.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// From the most saved to the least.
    pub points: Vec<OperatingPoint>,
    /// Index of the default point.
    pub default_point: usize,
    /// Float loss at full depth on the validation part, nats per token.
    pub full_depth_nats: f32,
    /// Tokens that it was measured on.
    pub tokens: usize,
    /// Element type that the thresholds were fitted to, and losses measured with; none of full depth alone.
    #[serde(default)]
    pub element: Option<Element>,
}

/// A loaded checkpoint.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it lies.
    pub path: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// The validated shape.
    pub shape: Shape,
    /// Its tensors; every parameter is there with its shape.
    pub tensors: Tensors,
}

impl Folder {
    /// Loads and checks a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let (config, shape) = checkpoint::load_config(path)?;
        let (mut tensors, _) = checkpoint::load(path)?;
        checkpoint::check(&tensors, &shape)?;
        // What the configuration does not ask for (an optimiser's state, a foreign file's extras) must not change the model.
        let names: Vec<String> = checkpoint::parameters(&shape).into_iter().map(|(name, ..)| name).collect();
        tensors.retain(|name, _| names.contains(name));
        Ok(Self { path: path.into(), config, shape, tensors })
    }

    /// The calibration. A dense model needs none: its single point is full depth.
    ///
    /// # Errors
    /// A routed model that was not calibrated, or a file that does not fit the model.
    pub fn calibration(&self) -> Result<Calibration, CheckpointError> {
        let path = self.path.join(CALIBRATION_FILE);
        if self.shape.outputs() == 0 {
            return Ok(full_depth(0));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => CheckpointError::Malformed(
                self.path.clone(),
                "it has routers but no calibration: run `exporter calibrate` first".into(),
            ),
            _ => CheckpointError::File(path.clone(), error),
        })?;
        let malformed = |what: String| CheckpointError::Malformed(path.clone(), what);
        let calibration: Calibration = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if let Some(point) = calibration.points.iter().find(|point| point.thresholds.len() != self.shape.outputs()) {
            let (found, wanted) = (point.thresholds.len(), self.shape.outputs());
            return Err(malformed(format!("a point has {found} thresholds, the model {wanted} router outputs: calibrate again")));
        }
        if calibration.default_point >= calibration.points.len() {
            let (points, found) = (calibration.points.len(), calibration.default_point);
            return Err(malformed(format!("the default point is {found} of {points}: calibrate again")));
        }
        Ok(calibration)
    }
}

/// The calibration that runs every block.
pub fn full_depth(routers: usize) -> Calibration {
    let thresholds = (0..routers).map(|_| f32::MAX).collect();
    Calibration { points: vec![OperatingPoint { thresholds, saved: 0.0, loss_nats: 0.0 }], ..Calibration::default() }
}
