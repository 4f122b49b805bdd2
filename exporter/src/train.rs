//! Training: the stages of a recipe, one after another, resumable at any checkpoint.

use crate::calibrated_rounding::round_on_text;
use crate::checkpoint::name::{is_in_blocks, is_router};
use crate::checkpoint::{self, Role, Tensors, parameters};
use crate::checkpoint_folder::{CALIBRATION_FILE, Folder};
use crate::config::Config;
use crate::corpus::Corpus;
use crate::joint::joint;
use crate::losses::{self, Batch, Loss};
use crate::metrics::{Metrics, Point};
use crate::model::{Model, Parameters};
use crate::optimiser::{Optimiser, Rates, share_of_peak};
use crate::quantise::INT4;
use crate::random::{Purpose, normal, stream};
use crate::recipe::{Initialisation, Kind, Recipe, Stage};
use crate::rounding::round_blocks;
use crate::watch::{self, watch};
use anyhow::{Context, Result, bail};
pub use candle_core::Device;
use fathom::format::Shape;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bias of the output of a router that is trained as a gate, before training: `p = sigmoid(-1) = 0.27`, as published for soft gates.
const GATE_BIAS: f32 = -1.0;
/// What the branches of added blocks are scaled by.
const GROWN_SCALE: f32 = 0.1;
/// Training tokens that a quantise stage rounds its first matrices on.
const ROUNDING_TOKENS: usize = 16_384;
/// Prefix of the tensors of the model that a stage imitates, in a checkpoint.
const TEACHER: &str = "teacher.";

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
    /// Start from the weights of this checkpoint, not from random ones; unused when resuming.
    pub from: Option<&'a Path>,
    /// Where the model is trained.
    pub device: &'a Device,
    /// Stop after this many steps in all (tests of resuming); none: at the end of the recipe.
    pub stop_after: Option<usize>,
}

/// Trains a recipe to its end (or to `stop_after`) and leaves a checkpoint.
///
/// # Errors
/// A recipe that breaks a shape rule, a folder that cannot be written, or a checkpoint that does not fit the recipe.
pub fn train(recipe: &Recipe, corpus: &Corpus, options: &Options<'_>, metrics: &mut Metrics) -> Result<()> {
    let config = config(recipe, corpus);
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
                "the checkpoint in {} is of another model, seed, corpus or split: train into another folder",
                options.folder.display()
            );
        }
        if progress.recipe != fingerprint {
            bail!("the checkpoint in {} was trained by another recipe: train into another folder", options.folder.display());
        }
        // Training may have been interrupted between the two files of its last checkpoint.
        checkpoint::save_config(options.folder, &Config { training_tokens: progress.tokens, ..config.clone() })?;
        let optimiser = Optimiser::load(&mut tensors, progress.step);
        checkpoint::check(&tensors, &shape)?;
        optimiser.check(&tensors)?;
        let teacher = taught(&mut tensors);
        if let Some(teacher) = &teacher {
            checkpoint::check(teacher, &shape)?;
        }
        let teacher = teacher.as_ref().map(|teacher| Parameters::on(options.device, teacher)).transpose()?;
        let parameters = Parameters::on(options.device, &tensors)?;
        Run { shape, config, recipe, corpus, device: options.device, parameters, optimiser, progress, teacher }
    } else {
        let (tensors, tokens) = match options.from {
            Some(folder) => trained_before(folder, &config)?,
            None => (initial(&shape, recipe), 0),
        };
        let parameters = Parameters::on(options.device, &tensors)?;
        Run {
            shape,
            config,
            recipe,
            corpus,
            device: options.device,
            parameters,
            optimiser: Optimiser::default(),
            progress: Progress { recipe: fingerprint, tokens, ..Progress::default() },
            teacher: None,
        }
    };
    metrics.start(&run.progress, recipe)?;
    if !options.resume {
        // Nothing can refuse the run any more, and what it replaces must not be taken for its own checkpoint.
        remove(&options.folder.join(checkpoint::TENSORS_FILE))?;
    }
    run.stages(options, metrics)
}

/// Removes a file if there is one.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The configuration of a recipe's model on a corpus, before training.
pub fn config(recipe: &Recipe, corpus: &Corpus) -> Config {
    Config { corpus_sha256: corpus.sha256, split: corpus.split, ..recipe.config(corpus.alphabet.clone()) }
}

/// The weights of a checkpoint of the same model, and the tokens that it has seen; the seed and the corpus may be others.
fn trained_before(path: &Path, config: &Config) -> Result<(Tensors, u64)> {
    let folder = Folder::load(path)?;
    let Config { geometry, variants, routing, comparable_routers, .. } = folder.config;
    let same = (geometry, variants, routing) == (config.geometry, config.variants, config.routing);
    if !same || folder.config.alphabet != config.alphabet {
        bail!("the checkpoint in {} is of another model than the recipe's and the corpus's", path.display());
    }
    if folder.shape.outputs() > 0 && comparable_routers != config.comparable_routers {
        bail!("the routers of the checkpoint in {} were trained by another method than the recipe's", path.display());
    }
    Ok((folder.tensors, folder.config.training_tokens))
}

/// The teacher among a checkpoint's tensors, which lose it.
fn taught(tensors: &mut Tensors) -> Option<Tensors> {
    let names: Vec<String> = tensors.keys().filter(|name| name.starts_with(TEACHER)).cloned().collect();
    let named = |name: String| tensors.remove(&name).map(|values| (name[TEACHER.len()..].to_owned(), values));
    Some(names.into_iter().filter_map(named).collect()).filter(|teacher: &Tensors| !teacher.is_empty())
}

/// The first 8 bytes of the SHA-256 of the recipe as TOML.
fn fingerprint(recipe: &Recipe) -> Result<u64> {
    let digest = Sha256::digest(toml::to_string(recipe)?);
    Ok(digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
}

/// Initial values of every parameter.
pub fn initial(shape: &Shape, recipe: &Recipe) -> Tensors {
    let mut random = stream(recipe.seed, Purpose::Initialise, 0, 0);
    let gates = recipe.stages.iter().any(|stage| matches!(stage.kind, Kind::Soft | Kind::Hard));
    let grown_from = recipe.stages[0].blocks.unwrap_or(shape.blocks);
    let depth = (2.0 * shape.blocks as f32).sqrt();
    let mut value = |name: &str, role: Role, columns: usize| {
        let deviation = match recipe.initialisation {
            Initialisation::FanIn => 0.7 / (columns as f32).sqrt(),
            Initialisation::Gpt2 => 0.02,
        };
        match role {
            Role::Embedding => 0.02 * normal(&mut random),
            Role::Matrix | Role::Stack(_) | Role::Router => deviation * normal(&mut random),
            Role::Residual => {
                let added = is_in_blocks(name, grown_from..shape.blocks);
                deviation / depth * if added { GROWN_SCALE } else { 1.0 } * normal(&mut random)
            }
            Role::Gain => 1.0,
            Role::Bias => 0.0,
            Role::RouterBias => {
                if gates {
                    GATE_BIAS
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
    device: &'a Device,
    parameters: Parameters,
    optimiser: Optimiser,
    progress: Progress,
    /// The model that the stage imitates.
    teacher: Option<Parameters>,
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
            if stage.kind == Kind::Quantise && self.progress.step == 0 {
                self.start_quantising(stage)?;
            }
            let mut model = Model::new(&self.shape, &self.parameters, blocks)?;
            if stage.kind == Kind::Quantise {
                model = model.rounded(INT4);
            }
            let teacher = self.teacher.as_ref().map(|teacher| Model::new(&self.shape, teacher, blocks)).transpose()?;
            if stage.imitation > 0.0 && teacher.is_none() {
                bail!("the checkpoint has no tensors {TEACHER}*, which its stage imitates: train into another folder");
            }
            let trained = self.trained(stage, blocks);
            let steps = stage.tokens.div_ceil(stage.batch * context);
            while self.progress.step < steps {
                let step = self.progress.step;
                let measured = self.step(&model, teacher.as_ref(), stage, &trained, steps)?;
                if !measured.loss.is_finite() {
                    bail!("the loss is {} at step {step} of stage {}: lower learning_rate", measured.loss, self.progress.stage);
                }
                self.progress.step += 1;
                self.progress.tokens += (stage.batch * context) as u64;
                steps_done += 1;
                let Step { loss, active } = measured;
                let looks = (step + 1).is_multiple_of(watch::EVERY) || step + 1 == steps;
                let watched = if looks { Some(watch(&model, stage.kind, self.corpus)?) } else { None };
                let Progress { stage, tokens, .. } = self.progress;
                metrics.step(&Point { stage, step, steps, tokens, loss, active, watched })?;
                let stop = options.stop_after.is_some_and(|limit| steps_done >= limit);
                if stop || (step + 1).is_multiple_of(options.checkpoint_every) {
                    self.save(options)?;
                }
                if stop {
                    return Ok(());
                }
            }
            if stage.kind == Kind::Quantise {
                self.finish_quantising()?;
            }
            self.progress = Progress { stage: self.progress.stage + 1, step: 0, ..self.progress };
            self.optimiser = Optimiser::default();
            self.save(options)?;
        }
        metrics.finish();
        Ok(())
    }

    /// Names and roles of what a stage trains.
    fn trained(&self, stage: &Stage, blocks: usize) -> Vec<(String, Role)> {
        let unused = |name: &str| blocks < self.shape.blocks && is_in_blocks(name, blocks..self.shape.stored_blocks());
        let wanted = |name: &str| match stage.kind {
            Kind::Trunk | Kind::Quantise => !is_router(name),
            Kind::Routers => is_router(name),
            Kind::Soft | Kind::Hard | Kind::Joint => true,
        };
        let all = parameters(&self.shape).into_iter();
        all.filter(|(name, ..)| wanted(name) && !unused(name)).map(|(name, _, role)| (name, role)).collect()
    }

    fn save(&self, options: &Options<'_>) -> Result<()> {
        let mut tensors = self.parameters.tensors()?;
        self.optimiser.save(&mut tensors);
        if let Some(teacher) = &self.teacher {
            tensors.extend(teacher.tensors()?.into_iter().map(|(name, values)| (format!("{TEACHER}{name}"), values)));
        }
        let state = serde_json::to_string(&self.progress)?;
        let config = Config { training_tokens: self.progress.tokens, ..self.config.clone() };
        // Thresholds that were calibrated for other weights must not outlive them.
        remove(&options.folder.join(CALIBRATION_FILE))?;
        checkpoint::save_config(options.folder, &config)?;
        Ok(checkpoint::save(options.folder, &tensors, Some(&state))?)
    }

    fn batch(&self, stage: &Stage) -> Batch {
        let context = self.shape.context;
        let mut random = stream(self.recipe.seed, Purpose::Batch, self.progress.stage, self.progress.step);
        let text = self.corpus.training();
        let starts: Vec<usize> = (0..stage.batch).map(|_| random.random_range(0..text.len() - context)).collect();
        Batch {
            inputs: starts.iter().flat_map(|start| &text[*start..start + context]).copied().collect(),
            targets: starts.iter().flat_map(|start| &text[start + 1..=start + context]).copied().collect(),
        }
    }

    fn step(
        &mut self,
        model: &Model,
        teacher: Option<&Model>,
        stage: &Stage,
        trained: &[(String, Role)],
        steps: usize,
    ) -> Result<Step> {
        let batch = self.batch(stage);
        let streams = |purpose: Purpose| stream(self.recipe.seed, purpose, self.progress.stage, self.progress.step);
        let progress = self.progress.step as f64 / steps as f64;
        let Loss { loss, shown, active } = match stage.kind {
            Kind::Trunk | Kind::Quantise => losses::trunk(model, teacher, &self.shape, stage, &batch, &streams)?,
            Kind::Routers => losses::routers(model, &self.shape, &batch)?,
            Kind::Soft => losses::soft(model, &self.shape, stage, &batch, &streams)?,
            Kind::Hard => losses::hard(model, &self.shape, stage, &batch, progress, &streams)?,
            Kind::Joint => joint(model, &self.shape, stage, &batch, progress, &streams)?,
        };
        let share = share_of_peak(self.progress.step, steps, stage.warmup, stage.schedule);
        let rates = Rates {
            rate: share * stage.learning_rate,
            matrix_rate: stage.matrix_learning_rate.map(|peak| share * peak),
            decay: stage.weight_decay,
        };
        let norm = self.optimiser.update(&self.parameters, trained, &loss.backward()?, rates)?;
        // Such a gradient has spoiled the weights: they must not be saved.
        let loss = if norm.is_finite() { shown } else { norm };
        Ok(Step { loss, active })
    }

    /// Before the first step of a quantise stage: the model as it is teaches, and its matrices are rounded on training text.
    fn start_quantising(&mut self, stage: &Stage) -> Result<()> {
        let mut tensors = self.parameters.tensors()?;
        if stage.imitation > 0.0 {
            self.teacher = Some(Parameters::on(self.device, &tensors)?);
        }
        let text = &self.corpus.training()[..ROUNDING_TOKENS.min(self.corpus.training().len())];
        round_on_text(&mut tensors, &self.shape, text, INT4, &|_, _| true, &|| ())?;
        self.parameters = Parameters::on(self.device, &tensors)?;
        Ok(())
    }

    /// After its last step: the matrices are what they were rounded to.
    fn finish_quantising(&mut self) -> Result<()> {
        let mut tensors = self.parameters.tensors()?;
        round_blocks(&mut tensors, &self.shape, INT4);
        self.parameters = Parameters::on(self.device, &tensors)?;
        self.teacher = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::name;

    #[test]
    fn soft_recipes_start_as_published() {
        let recipe = Recipe::parse(include_str!("../recipes/soft/soft-0.001.toml")).unwrap();
        let tensors = initial(&recipe.shape(65).unwrap(), &recipe);
        let deviation = |layer: &str| {
            let (_, values) = &tensors[&name::weight(&name::block(3, layer))];
            (values.iter().map(|value| f64::from(value * value)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let residual = 0.02 / (2.0 * 6.0f64).sqrt();
        let wanted = [
            (name::QUERY, 0.02),
            (name::UP, 0.02),
            (name::ROUTER_HIDDEN, 0.02),
            (name::OUTPUT, residual),
            (name::DOWN, residual),
        ];
        for (layer, wanted) in wanted {
            let found = deviation(layer);
            assert!((found / wanted - 1.0).abs() < 0.1, "{layer}: {found}, not {wanted}");
        }
        let (_, bias) = &tensors[&name::bias(&name::block(3, name::ROUTER_OUTPUT))];
        assert_eq!(bias, &[GATE_BIAS]);
    }
}
