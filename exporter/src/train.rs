//! Training: the stages of a recipe, one after another, resumable at any checkpoint.

use crate::checkpoint::name::{is_in_blocks, is_router};
use crate::checkpoint::{self, Role, Tensors, parameters};
use crate::checkpoint_folder::CALIBRATION_FILE;
use crate::config::Config;
use crate::corpus::Corpus;
use crate::metrics::{Metrics, Point};
use crate::model::{Gates, Model, Parameters};
use crate::ops::cross_entropy::cross_entropy;
use crate::optimiser::{AdamW, learning_rate};
use crate::random::{Purpose, normal, stream};
use crate::recipe::{Kind, Recipe, Stage};
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use fathom::format::Shape;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bias of a soft router's output before training: `p = sigmoid(-1) = 0.27`, as published.
const SOFT_BIAS: f32 = -1.0;
/// What the branches of added blocks are scaled by.
const GROWN_SCALE: f32 = 0.1;

/// Where training stands; in the checkpoint's metadata.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct Progress {
    /// The stage in progress.
    pub stage: usize,
    /// Steps of it that are done.
    pub step: usize,
    /// Training tokens seen in all.
    pub tokens: u64,
    /// Fingerprint of the recipe: steps of another one would mean something else.
    pub recipe: u64,
}

/// How a run is driven.
#[derive(Debug)]
pub struct Options<'a> {
    /// Folder of the checkpoint.
    pub folder: &'a Path,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Go on from the checkpoint in the folder.
    pub resume: bool,
    /// Stop after this many steps in all (tests of resuming); none: at the end of the recipe.
    pub stop_after: Option<usize>,
}

/// Trains a recipe to its end (or to `stop_after`) and leaves a checkpoint.
///
/// # Errors
/// A recipe that breaks a shape rule, a folder that cannot be written, or a checkpoint that does not fit the recipe.
pub fn train(recipe: &Recipe, corpus: &Corpus, options: &Options<'_>, metrics: &mut Metrics) -> Result<()> {
    let config = Config {
        geometry: recipe.model.geometry(corpus.alphabet.len()),
        variants: recipe.model.variants(),
        routing: recipe.model.routing(),
        alphabet: corpus.alphabet.clone(),
        corpus_sha256: corpus.sha256,
        seed: recipe.seed,
        training_tokens: 0,
        routers_predict_gain: !recipe.stages.iter().any(|stage| stage.kind == Kind::Soft),
    };
    let shape = config.shape()?;
    let fingerprint = fingerprint(recipe)?;
    std::fs::create_dir_all(options.folder).with_context(|| format!("cannot create {}", options.folder.display()))?;
    let mut run = if options.resume {
        let (mut tensors, state) = checkpoint::load(options.folder)?;
        let state = state.context("the checkpoint has no training state: it was exported, not interrupted")?;
        let progress: Progress = serde_json::from_str(&state).context("the checkpoint's training state is malformed")?;
        let (before, _) = checkpoint::load_config(options.folder)?;
        if (Config { training_tokens: 0, ..before }) != config {
            bail!(
                "the checkpoint in {} is of another model, seed or corpus: train into another folder",
                options.folder.display()
            );
        }
        if progress.recipe != fingerprint {
            bail!("the checkpoint in {} was trained by another recipe: train into another folder", options.folder.display());
        }
        let optimiser = AdamW::load(&mut tensors, progress.step);
        checkpoint::check(&tensors, &shape)?;
        optimiser.check(&tensors)?;
        Run { shape, config, recipe, corpus, parameters: Parameters::new(&tensors)?, optimiser, progress }
    } else {
        let tensors = initial(&shape, recipe);
        let parameters = Parameters::new(&tensors)?;
        Run {
            shape,
            config,
            recipe,
            corpus,
            parameters,
            optimiser: AdamW::default(),
            progress: Progress { recipe: fingerprint, ..Progress::default() },
        }
    };
    metrics.start(&run.progress, recipe)?;
    run.stages(options, metrics)
}

/// The first 8 bytes of the SHA-256 of the recipe as TOML.
fn fingerprint(recipe: &Recipe) -> Result<u64> {
    let digest = Sha256::digest(toml::to_string(recipe)?);
    Ok(digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
}

/// Initial values of every parameter.
fn initial(shape: &Shape, recipe: &Recipe) -> Tensors {
    let mut random = stream(recipe.seed, Purpose::Initialise, 0, 0);
    let soft = recipe.stages.iter().any(|stage| stage.kind == Kind::Soft);
    let grown_from = recipe.stages[0].blocks.unwrap_or(shape.blocks);
    let depth = (2.0 * shape.blocks as f32).sqrt();
    let mut value = |name: &str, role: Role, columns: usize| {
        let fan_in = 0.7 / (columns as f32).sqrt();
        match role {
            Role::Embedding => 0.02 * normal(&mut random),
            Role::Matrix => fan_in * normal(&mut random),
            Role::Residual => {
                let added = is_in_blocks(name, grown_from..shape.blocks);
                fan_in / depth * if added { GROWN_SCALE } else { 1.0 } * normal(&mut random)
            }
            Role::Gain => 1.0,
            Role::Bias => 0.0,
            Role::RouterBias => {
                if soft {
                    SOFT_BIAS
                } else {
                    0.0
                }
            }
        }
    };
    let tensor = |(name, dims, role): (String, Vec<usize>, Role)| {
        let columns = dims[dims.len() - 1];
        let values = (0..dims.iter().product()).map(|_| value(&name, role, columns)).collect();
        (name, (dims, values))
    };
    parameters(shape).into_iter().map(tensor).collect()
}

/// One run in memory.
struct Run<'a> {
    shape: Shape,
    config: Config,
    recipe: &'a Recipe,
    corpus: &'a Corpus,
    parameters: Parameters,
    optimiser: AdamW,
    progress: Progress,
}

/// One step's tokens, `[batch * context]` each.
struct Batch {
    inputs: Vec<u16>,
    targets: Vec<u16>,
}

/// What a step measured.
struct Step {
    loss: f64,
    active: f64,
}

impl Run<'_> {
    fn stages(&mut self, options: &Options<'_>, metrics: &mut Metrics) -> Result<()> {
        let context = self.shape.context;
        let mut steps_done = 0;
        while let Some(stage) = self.recipe.stages.get(self.progress.stage) {
            let blocks = stage.blocks.unwrap_or(self.shape.blocks);
            let model = Model::new(&self.shape, &self.parameters, blocks)?;
            let trained = self.trained(stage, blocks);
            let steps = stage.tokens.div_ceil(stage.batch * context);
            while self.progress.step < steps {
                let step = self.progress.step;
                let measured = self.step(&model, stage, &trained, steps)?;
                if !measured.loss.is_finite() {
                    bail!("the loss is {} at step {step} of stage {}: lower learning_rate", measured.loss, self.progress.stage);
                }
                self.progress.step += 1;
                self.progress.tokens += (stage.batch * context) as u64;
                steps_done += 1;
                let Step { loss, active } = measured;
                metrics.step(&Point { stage: self.progress.stage, step, steps, tokens: self.progress.tokens, loss, active })?;
                let stop = options.stop_after.is_some_and(|limit| steps_done >= limit);
                if stop || (step + 1).is_multiple_of(options.checkpoint_every) {
                    self.save(options)?;
                }
                if stop {
                    return Ok(());
                }
            }
            self.progress = Progress { stage: self.progress.stage + 1, step: 0, ..self.progress };
            self.optimiser = AdamW::default();
            self.save(options)?;
        }
        metrics.finish();
        Ok(())
    }

    /// Names and roles of what a stage trains.
    fn trained(&self, stage: &Stage, blocks: usize) -> Vec<(String, Role)> {
        let unused = |name: &str| is_in_blocks(name, blocks..self.shape.blocks);
        let wanted = |name: &str| match stage.kind {
            Kind::Trunk => !is_router(name),
            Kind::Routers => is_router(name),
            Kind::Soft => true,
        };
        let all = parameters(&self.shape).into_iter();
        all.filter(|(name, ..)| wanted(name) && !unused(name)).map(|(name, _, role)| (name, role)).collect()
    }

    fn save(&self, options: &Options<'_>) -> Result<()> {
        let mut tensors = self.parameters.tensors()?;
        self.optimiser.save(&mut tensors);
        let state = serde_json::to_string(&self.progress)?;
        let config = Config { training_tokens: self.progress.tokens, ..self.config.clone() };
        checkpoint::save(options.folder, &tensors, Some(&state))?;
        checkpoint::save_config(options.folder, &config)?;
        // Thresholds that were calibrated for other weights.
        match std::fs::remove_file(options.folder.join(CALIBRATION_FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("cannot remove the old calibration"),
            _ => Ok(()),
        }
    }

    fn batch(&self, stage: &Stage) -> Batch {
        let context = self.shape.context;
        let mut random = stream(self.recipe.seed, Purpose::Batch, self.progress.stage, self.progress.step);
        let text = &self.corpus.training;
        let starts: Vec<usize> = (0..stage.batch).map(|_| random.random_range(0..text.len() - context)).collect();
        Batch {
            inputs: starts.iter().flat_map(|start| &text[*start..start + context]).copied().collect(),
            targets: starts.iter().flat_map(|start| &text[start + 1..=start + context]).copied().collect(),
        }
    }

    fn step(&mut self, model: &Model, stage: &Stage, trained: &[(String, Role)], steps: usize) -> Result<Step> {
        let batch = self.batch(stage);
        let (loss, shown, active) = match stage.kind {
            Kind::Trunk => self.trunk_loss(model, stage, &batch)?,
            Kind::Routers => router_loss(model, &self.shape, &batch)?,
            Kind::Soft => self.soft_loss(model, stage, &batch)?,
        };
        let rate = learning_rate(self.progress.step, steps, stage.warmup, stage.learning_rate);
        let norm = self.optimiser.update(&self.parameters, trained, &loss.backward()?, rate, stage.weight_decay)?;
        // Such a gradient has spoiled the weights: they must not be saved.
        let loss = if norm.is_finite() { shown } else { norm };
        Ok(Step { loss, active })
    }

    /// Mean cross-entropy over exits and tokens; shown is that of the last exit.
    fn trunk_loss(&self, model: &Model, stage: &Stage, batch: &Batch) -> Result<(Tensor, f64, f64)> {
        let blocks = stage.blocks.unwrap_or(self.shape.blocks);
        let exits = if stage.exits.is_empty() { vec![blocks] } else { stage.exits.clone() };
        let mut random = stream(self.recipe.seed, Purpose::Depth, self.progress.stage, self.progress.step);
        let depths: Vec<usize> = (0..batch.inputs.len())
            .map(|_| {
                let shallow = random.random::<f64>() < stage.random_depth;
                let exit = exits[random.random_range(0..exits.len())];
                if shallow { exit } else { blocks }
            })
            .collect();
        let mut masks = stream(self.recipe.seed, Purpose::Dropout, self.progress.stage, self.progress.step);
        let mut dropout = |x: &Tensor| dropped(x, stage.dropout, &mut masks);
        let drop: Option<&mut crate::model::Dropout<'_>> = if stage.dropout > 0.0 { Some(&mut dropout) } else { None };
        let pass = model.forward(&batch.inputs, self.shape.context, &Gates::Depths(&depths), drop)?;
        let mut total: Option<Tensor> = None;
        let mut last = 0.0;
        for exit in &exits {
            let loss = cross_entropy(&model.classify(&pass.residuals[*exit])?, &batch.targets)?.mean_all()?;
            last = f64::from(loss.to_scalar::<f32>()?);
            total = Some(match total {
                Some(total) => (total + loss)?,
                None => loss,
            });
        }
        let total = total.context("a stage has at least one exit")?;
        let active = depths.iter().sum::<usize>() as f64 / (depths.len() * blocks) as f64;
        Ok(((total / exits.len() as f64)?, last, active))
    }

    /// Cross-entropy + lambda * mean(1 - p), as published.
    fn soft_loss(&self, model: &Model, stage: &Stage, batch: &Batch) -> Result<(Tensor, f64, f64)> {
        let mut masks = stream(self.recipe.seed, Purpose::Dropout, self.progress.stage, self.progress.step);
        let mut dropout = |x: &Tensor| dropped(x, stage.dropout, &mut masks);
        let drop: Option<&mut crate::model::Dropout<'_>> = if stage.dropout > 0.0 { Some(&mut dropout) } else { None };
        let pass = model.forward(&batch.inputs, self.shape.context, &Gates::Soft, drop)?;
        let last = &pass.residuals[pass.residuals.len() - 1];
        let loss = cross_entropy(&model.classify(last)?, &batch.targets)?.mean_all()?;
        let gates = Tensor::stack(&pass.gates, 0)?.mean_all()?;
        let alpha = f64::from(gates.to_scalar::<f32>()?);
        let shown = f64::from(loss.to_scalar::<f32>()?);
        let blocks = self.shape.blocks as f64;
        Ok(((loss + (gates * stage.lambda)?)?, shown, (1.0 + (blocks - 1.0) * alpha) / blocks))
    }
}

/// Mean squared error of each router's prediction: `z = -(cross-entropy when the token stops here - cross-entropy at full depth)`.
fn router_loss(model: &Model, shape: &Shape, batch: &Batch) -> Result<(Tensor, f64, f64)> {
    let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None)?;
    let losses = |h: &Tensor| Result::<Tensor>::Ok(cross_entropy(&model.classify(&h.detach())?, &batch.targets)?.detach());
    let full = losses(&pass.residuals[shape.blocks])?;
    let mut errors = Vec::new();
    for block in 1..shape.blocks {
        let h = pass.residuals[block].detach();
        let gain = (losses(&h)? - &full)?;
        errors.push((model.router(block, &h)? + gain)?.sqr()?.mean_all()?);
    }
    let loss = Tensor::stack(&errors, 0)?.mean_all()?;
    let shown = f64::from(loss.to_scalar::<f32>()?);
    Ok((loss, shown, 1.0))
}

/// Inverted dropout: each element is zero with probability `share`.
fn dropped(x: &Tensor, share: f64, random: &mut impl Rng) -> candle_core::Result<Tensor> {
    let keep = (1.0 / (1.0 - share)) as f32;
    let limit = (share * f64::from(u32::MAX)) as u32;
    let mask: Vec<f32> = (0..x.elem_count()).map(|_| if random.random::<u32>() < limit { 0.0 } else { keep }).collect();
    x * Tensor::from_vec(mask, x.shape(), &Device::Cpu)?
}
