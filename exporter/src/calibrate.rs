//! Finds one threshold per router for each target share of saved token-layer operations.
//!
//! A router that halts a token changes what later routers see, so shares are reached in a closed loop: thresholds are read off a
//! pass at full depth at some level, the model is run under hard routing through its blob, and the level is
//! bisected until the measured share meets the target.

use crate::aligned::Aligned;
use crate::blob_eval::{Evaluation, evaluate};
use crate::checkpoint_folder::full_depth;
use crate::evaluate::OpenPass;
use crate::export::blob;
use crate::tensors::ModelTensors;
use crate::thresholds::Path;
use anyhow::{Result, bail, ensure};
use fathom::Blob;
use fathom::format::header::MAX_OPERATING_POINTS;
use fathom::format::writer::rewrite_header;
use fathom::format::{Header, OperatingPoint, Policy, Shape};

/// Largest accepted distance of a measured share from its target.
pub const SHARE_TOLERANCE: f64 = 0.005;
/// Windows of one piece of a sample.
const WINDOWS: usize = 8;
/// Halvings of the level: below one token in a hundred thousand.
const BISECTIONS: usize = 18;

/// Ways to thresholds, from halting nothing to halting everything.
#[derive(Clone, Debug)]
pub enum Levels {
    /// Thresholds by what depth is worth: for routers that halt and can be compared.
    Priced(Path),
    /// One threshold for all routers, a quantile of all outputs `[outputs * tokens]`, sorted: for routers that skip and can be compared.
    Common(Vec<f32>, usize),
    /// Each router has the same quantile of its own outputs, `[routers][tokens]`, sorted: for gates whose ranges differ from layer to
    /// layer.
    PerRouter(Vec<Vec<f32>>),
}

impl Levels {
    /// The way that suits a model's routers, from a pass of a text at full depth.
    pub fn new(policy: Policy, comparable_routers: bool, pass: OpenPass) -> Self {
        let routers = pass.outputs.len();
        match (comparable_routers, policy) {
            (true, Policy::Halt | Policy::Exit { .. }) => Self::Priced(Path::new(&pass)),
            (true, _) => Self::Common(sorted(pass.outputs.concat()), routers),
            (false, _) => Self::PerRouter(pass.outputs.into_iter().map(sorted).collect()),
        }
    }

    /// Thresholds `[outputs]` at `level` of halting, 0 (nothing halts) to 1 (everything does).
    fn thresholds(&self, level: f64) -> Vec<f32> {
        match self {
            Self::Priced(path) => path.thresholds(level),
            Self::Common(_, routers) if level <= 0.0 => vec![f32::MAX; *routers],
            Self::Common(all, routers) => vec![quantile(all, 1.0 - level); *routers],
            Self::PerRouter(routers) if level <= 0.0 => vec![f32::MAX; routers.len()],
            Self::PerRouter(routers) => routers.iter().map(|router| quantile(router, 1.0 - level)).collect(),
        }
    }
}

/// How far a share is from its target.
fn off(saved: f64, target: f64) -> f64 {
    (saved - target).abs()
}

fn sorted(mut outputs: Vec<f32>) -> Vec<f32> {
    outputs.sort_by(f32::total_cmp);
    outputs
}

fn quantile(sorted: &[f32], share: f64) -> f32 {
    let index = (share * sorted.len() as f64) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A model as a blob whose thresholds can be changed: the tensors are quantised once, only the header changes.
#[derive(Clone, Debug)]
pub struct Candidate {
    header: Header,
    bytes: Aligned,
}

impl Candidate {
    /// At full depth. The operating points of `header` are replaced by one.
    ///
    /// # Errors
    /// A model that cannot be exported.
    pub fn new(header: &Header, model: &ModelTensors) -> Result<Self> {
        let mut header = header.clone();
        header.operating_points = full_depth(Shape::new(&header)?.outputs()).points.into_iter().collect();
        header.default_point = 0;
        let bytes = blob(&header, model)?;
        Ok(Self { header, bytes })
    }

    /// Evaluates a text at these thresholds, `[outputs]`.
    ///
    /// # Errors
    /// Those of [`evaluate`]; another number of thresholds.
    pub fn evaluate(&mut self, thresholds: &[f32], text: &[u16]) -> Result<Evaluation> {
        self.set(thresholds)?;
        evaluate(&Blob::parse(self.bytes.bytes())?, text, 0, &|_| ())
    }

    /// Gives the routers these thresholds, `[outputs]`.
    ///
    /// # Errors
    /// Another number of thresholds.
    pub fn set(&mut self, thresholds: &[f32]) -> Result<()> {
        ensure!(
            thresholds.len() == self.point().len(),
            "{} thresholds for {} router outputs",
            thresholds.len(),
            self.point().len()
        );
        self.point().copy_from_slice(thresholds);
        Ok(rewrite_header(self.bytes.bytes_mut(), &self.header)?)
    }

    /// Thresholds that save a share of the token-layer operations of `sample`, or come nearest, and the share that they save.
    ///
    /// # Errors
    /// Those of [`evaluate`].
    pub fn nearest(&mut self, target: f64, levels: &Levels, sample: &[u16]) -> Result<(Vec<f32>, f64)> {
        let best = self.bisect(target, &|level| levels.thresholds(level), sample)?;
        let Levels::Priced(path) = levels else { return Ok(best) };
        if off(best.1, target) <= SHARE_TOLERANCE {
            return Ok(best);
        }
        // Few tokens, or equal outputs, make the path jump; one threshold for all routers moves token by token.
        let other = self.bisect(target, &|level| path.common(level), sample)?;
        Ok(if off(other.1, target) < off(best.1, target) { other } else { best })
    }

    fn bisect(&mut self, target: f64, thresholds: &dyn Fn(f64) -> Vec<f32>, sample: &[u16]) -> Result<(Vec<f32>, f64)> {
        let mut at = |level: f64| -> Result<(Vec<f32>, f64)> {
            let thresholds = thresholds(level);
            let saved = self.evaluate(&thresholds, sample)?.saved();
            Ok((thresholds, saved))
        };
        let (mut low, mut high) = (0.0, 1.0);
        let mut best = at(target.clamp(0.0, 1.0))?;
        for _ in 0..BISECTIONS {
            if off(best.1, target) <= SHARE_TOLERANCE / 4.0 {
                break;
            }
            let level = 0.5 * (low + high);
            let found = at(level)?;
            if found.1 < target {
                low = level;
            } else {
                high = level;
            }
            if off(found.1, target) < off(best.1, target) {
                best = found;
            }
        }
        Ok(best)
    }

    /// The blob as it is now.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.bytes()
    }

    fn point(&mut self) -> &mut [f32] {
        &mut self.header.operating_points[0].thresholds
    }
}

/// About `tokens` tokens of `text` in pieces of 8 windows of `context`, evenly spread: a text changes as it goes on, and its start
/// may save more or less than the rest. All of a text that has no more.
pub fn sample(text: &[u16], tokens: usize, context: usize) -> Vec<u16> {
    let piece = WINDOWS * context;
    let (there, wanted) = (text.len() / piece, tokens.div_ceil(piece));
    if text.len() <= tokens || there <= wanted {
        return text.to_vec();
    }
    (0..wanted).flat_map(|index| &text[index * there / wanted * piece..][..piece]).copied().collect()
}

/// One operating point per target, from the most saved to the least. `targets` are shares in `0..1`; 0 gives full depth. Shares are
/// met on `sample`, a part of `text`; what a point says of itself is measured on all of it.
///
/// # Errors
/// A target that the model cannot reach within [`SHARE_TOLERANCE`], too many targets, or a model that cannot be exported.
pub fn calibrate(
    header: &Header,
    model: &ModelTensors,
    levels: &Levels,
    text: &[u16],
    sample: &[u16],
    targets: &[f64],
    report: &mut dyn FnMut(f64, &Evaluation),
) -> Result<Vec<OperatingPoint>> {
    if targets.is_empty() || targets.len() > MAX_OPERATING_POINTS {
        bail!("give 1 to {MAX_OPERATING_POINTS} targets, found {}", targets.len());
    }
    let mut targets = targets.to_vec();
    targets.sort_by(|a, b| b.total_cmp(a));
    let mut candidate = Candidate::new(header, model)?;
    let mut points = Vec::new();
    for target in targets {
        let (thresholds, saved) = candidate.nearest(target, levels, sample)?;
        if (saved - target).abs() > SHARE_TOLERANCE {
            bail!("the routers cannot save {target:.3}: the nearest share is {saved:.3}; choose another target");
        }
        let evaluation = candidate.evaluate(&thresholds, text)?;
        report(target, &evaluation);
        points.push(OperatingPoint {
            thresholds: thresholds.into_iter().collect(),
            saved: evaluation.saved() as f32,
            loss_nats: evaluation.nats() as f32,
        });
    }
    Ok(points)
}
