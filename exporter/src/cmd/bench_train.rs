//! `exporter bench-train`.

use super::bar;
use crate::checkpoint::{Role, parameters, write_whole};
use crate::losses::Batch;
use crate::model::{Gates, Model, Parameters};
use crate::ops::cross_entropy::cross_entropy;
use crate::optimiser::{Optimiser, Rates};
use crate::plain_loop;
use crate::random::{Purpose, stream};
use crate::recipe::{PolicyName, Recipe};
use crate::train::initial;
use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use clap::Parser;
use fathom::format::{Mlp, Norm, Position, Shape, Variants};
use rand::Rng;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// The recipe where none is named.
const RECIPE: &str = include_str!("../../recipes/bench-train.toml");
/// Bytes in the alphabet: those of Tiny Shakespeare.
const VOCABULARY: u16 = 65;

/// Compare training speed with candle's own operations, on random tokens
#[derive(Parser, Debug)]
#[command(after_help = "\
Steps of both alternate, so that other work on the machine slows both. A step is one batch forward, backward and AdamW.

Examples:
  exporter bench-train
  exporter bench-train --threads 1 --steps 10 --json speed.json")]
pub struct Cmd {
    /// A recipe with RMSNorm, rotary positions and SwiGLU, dense and without biases [default: 1.2 million parameters]
    recipe: Option<PathBuf>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Measured steps of each
    #[arg(long, default_value_t = 5, value_name = "N")]
    steps: usize,
    /// Also write the figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The figures of one comparison.
#[derive(Debug, Serialize)]
struct Figures {
    schema: &'static str,
    threads: usize,
    parameters: usize,
    steps: usize,
    tokens_a_step: usize,
    /// Medians over the steps.
    plain_tokens_per_second: f64,
    fused_tokens_per_second: f64,
    ratio: f64,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let text = match &self.recipe {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read the recipe {}", path.display()))?,
            None => RECIPE.to_owned(),
        };
        let name = self.recipe.as_ref().map_or("the recipe".into(), |path| path.display().to_string());
        let recipe = Recipe::parse(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let Variants { norm, position, mlp, bias, .. } = recipe.model.variants();
        let plain = (recipe.model.policy, norm, position, mlp, bias);
        if plain != (PolicyName::Dense, Norm::RmsNorm, Position::Rotary, Mlp::SwiGlu, false) {
            bail!("{name}: the plain loop trains dense models with RMSNorm, rotary positions and SwiGLU, without biases");
        }
        if self.steps == 0 || self.threads == Some(0) {
            bail!("--steps and --threads must be at least 1");
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0)).build()?;
        let figures = pool.install(|| compare(&recipe, self.steps))?;
        if let Some(path) = &self.json {
            write_whole(path, (serde_json::to_string_pretty(&figures)? + "\n").as_bytes())?;
        }
        let Figures { threads, parameters, plain_tokens_per_second: plain, fused_tokens_per_second: fused, ratio, .. } = figures;
        say!("{parameters} parameters, {threads} threads, {} steps of each", self.steps);
        say!("plain loop  {plain:8.0} tokens/s");
        say!("fused       {fused:8.0} tokens/s");
        say!("ratio       {ratio:8.2}");
        Ok(())
    }
}

/// Alternates steps of both, after one of each to warm up.
fn compare(recipe: &Recipe, steps: usize) -> Result<Figures> {
    let shape = recipe.config((0..VOCABULARY as u8).collect()).shape()?;
    let stage = &recipe.stages[0];
    let (mut plain, mut fused) = (Trained::new(&shape, recipe)?, Trained::new(&shape, recipe)?);
    let model = Model::new(&shape, &fused.parameters, shape.blocks)?;
    let (mut plain_seconds, mut fused_seconds) = (Vec::new(), Vec::new());
    let progress = bar(steps as u64 + 1, "steps");
    for step in 0..=steps {
        let mut random = stream(recipe.seed, Purpose::Batch, 0, step);
        let mut tokens = || (0..stage.batch * shape.context).map(|_| random.random_range(0..VOCABULARY)).collect();
        let batch = Batch { inputs: tokens(), targets: tokens() };
        let start = Instant::now();
        plain.step(&plain_loop::loss(&shape, &plain.parameters, &batch)?)?;
        let middle = Instant::now();
        let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None)?;
        fused.step(&cross_entropy(&model.classify(&pass.residuals[shape.blocks])?, &batch.targets)?.mean_all()?)?;
        if step > 0 {
            plain_seconds.push((middle - start).as_secs_f64());
            fused_seconds.push(middle.elapsed().as_secs_f64());
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let tokens_a_step = stage.batch * shape.context;
    let rate = |seconds: &mut Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        tokens_a_step as f64 / seconds[seconds.len() / 2]
    };
    let (plain_rate, fused_rate) = (rate(&mut plain_seconds), rate(&mut fused_seconds));
    Ok(Figures {
        schema: "fathom-bench-train/1",
        threads: rayon::current_num_threads(),
        parameters: parameters(&shape).iter().map(|(_, dims, _)| dims.iter().product::<usize>()).sum(),
        steps,
        tokens_a_step,
        plain_tokens_per_second: plain_rate,
        fused_tokens_per_second: fused_rate,
        ratio: fused_rate / plain_rate,
    })
}

/// A model that one of the two trains.
struct Trained {
    parameters: Parameters,
    roles: Vec<(String, Role)>,
    optimiser: Optimiser,
}

impl Trained {
    fn new(shape: &Shape, recipe: &Recipe) -> Result<Self> {
        let roles = parameters(shape).into_iter().map(|(name, _, role)| (name, role)).collect();
        Ok(Self { parameters: Parameters::new(&initial(shape, recipe))?, roles, optimiser: Optimiser::default() })
    }

    /// Backward and update.
    fn step(&mut self, loss: &Tensor) -> Result<()> {
        let rates = Rates { rate: 1e-3, matrix_rate: None, decay: 0.1 };
        self.optimiser.update(&self.parameters, &self.roles, &loss.backward()?, rates)?;
        Ok(())
    }
}
