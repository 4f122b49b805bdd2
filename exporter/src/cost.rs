//! Modelled cycles of an evaluation: what `host-sim cost` says of tokens of each depth, times the tokens of each depth.

use crate::blob_eval::Evaluation;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Schema of what is read.
const SCHEMA: &str = "fathom-cost/2";

/// What a generated token takes, head and sampling included; of every model with the same shape, policy and cache.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Costs {
    schema: String,
    /// The modelled core.
    pub core: String,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: String,
    /// Blocks of the model.
    pub blocks: usize,
    /// Of one cached position that one block attends to.
    pub cycles_per_attended: f64,
    /// Of one router for one token.
    pub cycles_per_router: f64,
    /// From the shallowest to full depth; a dense model has full depth only.
    pub depths: Vec<DepthCost>,
}

/// What a token of one depth takes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
pub struct DepthCost {
    /// Blocks that it ran.
    pub depth: usize,
    /// Cycles without attention to any position.
    pub base: f64,
    /// Mean over all positions of the context, when every token has this depth.
    pub mean_over_window: f64,
}

impl Costs {
    /// Reads what `host-sim cost --json` wrote.
    ///
    /// # Errors
    /// It is malformed or of another schema.
    pub fn read(text: &str) -> Result<Self> {
        let costs: Self = serde_json::from_str(text).context("malformed costs: write them with `host-sim cost --json`")?;
        if costs.schema != SCHEMA {
            bail!("costs of schema {}, this program reads {SCHEMA}: use host-sim of the same version", costs.schema);
        }
        Ok(costs)
    }

    /// Lets `host-sim` measure a blob on `core`; what it has to say goes to stderr. It builds the firmware's image, for which it must be
    /// called inside the project.
    ///
    /// # Errors
    /// The program cannot be started or fails.
    pub fn measure(host_sim: &Path, blob: &Path, core: &str) -> Result<Self> {
        let mut command = Command::new(host_sim);
        command.arg("cost").arg(blob).args(["--core", core, "--json", "-"]).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("cannot run {}", host_sim.display()))?;
        if !output.status.success() {
            bail!("{} cost failed ({}): its message is above", host_sim.display(), output.status);
        }
        Self::read(&String::from_utf8_lossy(&output.stdout))
    }

    /// Modelled cycles per token if the evaluated text were generated token by token. `thresholds` `[outputs]` are those in use: a router
    /// whose thresholds are all [`f32::MAX`] is not evaluated.
    ///
    /// # Errors
    /// The evaluation has a depth that was not measured: it is of another model.
    pub fn cycles_per_token(&self, evaluation: &Evaluation, thresholds: &[f32]) -> Result<f64> {
        let mut cycles = self.cycles_per_attended * evaluation.attended as f64;
        for (depth, tokens) in evaluation.depths.iter().enumerate().filter(|(_, tokens)| **tokens > 0) {
            let Some(row) = self.depths.iter().find(|row| row.depth == depth) else {
                bail!("no cost of {depth} blocks was measured: the costs are of another model");
            };
            cycles += row.base * *tokens as f64;
        }
        let not_evaluated = evaluation.asked.iter().sum::<usize>() - evaluation.routers(thresholds);
        cycles -= self.cycles_per_router * not_evaluated as f64;
        Ok(cycles / evaluation.tokens.max(1) as f64)
    }

    /// Modelled cycles per token at full depth, mean over the context.
    pub fn full(&self) -> f64 {
        self.depths.last().map_or(0.0, |row| row.mean_over_window)
    }
}

/// The `host-sim` beside this program, if there is one.
pub fn host_sim() -> Option<PathBuf> {
    let name = format!("host-sim{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::current_exe().ok()?.with_file_name(name);
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"schema":"fathom-cost/2","core":"cortex-m4","memory_profile":"zero-wait","cost_table":"x/1","model_crc32":"0",
        "blocks":2,"context":4,"positions":[1],"cycles_per_attended":2.5,"cycles_per_router":10.0,"largest_error":0.0,"depths":[
        {"depth":1,"base":100.0,"mean_over_window":105.0,"cycles":[1]},{"depth":2,"base":180.0,"mean_over_window":190.0,"cycles":[1]}]}"#;

    #[test]
    fn cycles_are_bases_by_depth_and_attention_by_position() {
        let costs = Costs::read(TEXT).unwrap();
        let evaluation = Evaluation { tokens: 4, depths: vec![0, 3, 1], attended: 12, asked: vec![4], ..Evaluation::default() };
        assert_eq!(costs.cycles_per_token(&evaluation, &[0.5]).unwrap(), (300.0 + 180.0 + 30.0) / 4.0);
        assert_eq!(costs.cycles_per_token(&evaluation, &[f32::MAX]).unwrap(), (300.0 + 180.0 + 30.0 - 40.0) / 4.0);
        assert_eq!(costs.full(), 190.0);
    }

    #[test]
    fn rejects_other_schemas_and_other_models() {
        assert!(Costs::read(&TEXT.replace("cost/2", "cost/9")).unwrap_err().to_string().contains("schema fathom-cost/9"));
        assert!(Costs::read("{}").unwrap_err().to_string().contains("malformed"));
        let deeper = Evaluation { tokens: 1, depths: vec![0, 0, 0, 1], ..Evaluation::default() };
        assert!(Costs::read(TEXT).unwrap().cycles_per_token(&deeper, &[]).is_err());
    }
}
