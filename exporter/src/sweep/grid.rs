//! Which runs a sweep has: every recipe with every seed, each in a folder of its own.

use crate::checkpoint::write_whole;
use crate::recipe::Recipe;
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The recipe of a run, in its folder.
const RECIPE_FILE: &str = "recipe.toml";

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Name of the recipe.
    pub name: String,
    /// The recipe, with the run's seed.
    pub recipe: Recipe,
    /// Checkpoint, metrics and points.
    pub folder: PathBuf,
}

impl Run {
    /// Its name in messages.
    pub fn label(&self) -> String {
        format!("{}-s{}", self.name, self.recipe.seed)
    }

    /// Training tokens of all stages, rounded up to whole steps.
    pub fn tokens(&self) -> u64 {
        let context = usize::from(self.recipe.model.context);
        let stage = |stage: &crate::recipe::Stage| stage.tokens.next_multiple_of(stage.batch * context) as u64;
        self.recipe.stages.iter().map(stage).sum()
    }

    /// Whether the folder holds this recipe.
    pub fn is_there(&self) -> bool {
        let there = std::fs::read_to_string(self.folder.join(RECIPE_FILE)).ok();
        there.is_some() && there == toml::to_string(&self.recipe).ok()
    }

    /// Makes the folder and puts the recipe into it.
    ///
    /// # Errors
    /// The folder cannot be written, or holds a run of another recipe.
    pub fn prepare(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        let (path, text) = (self.folder.join(RECIPE_FILE), toml::to_string(&self.recipe)?);
        match std::fs::read_to_string(&path) {
            Ok(there) if there == text => Ok(()),
            Ok(_) => bail!("{} holds a run of another recipe: remove it, or sweep into another folder", self.folder.display()),
            Err(_) => Ok(write_whole(&path, text.as_bytes())?),
        }
    }
}

/// The recipe of a run, from its folder.
///
/// # Errors
/// It is missing or malformed.
pub fn recipe(folder: &Path) -> Result<Recipe> {
    let path = folder.join(RECIPE_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Recipe::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Every recipe with every seed, seeds together: `folder/NAME-sSEED`.
///
/// # Errors
/// A recipe that cannot be read or breaks a rule, or two with the same name.
pub fn grid(recipes: &[PathBuf], seeds: &[u64], folder: &Path) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    let mut names = BTreeSet::new();
    for path in recipes {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the recipe {}", path.display()))?;
        let recipe = Recipe::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let name = path.file_stem().and_then(|stem| stem.to_str()).with_context(|| format!("{}: no name", path.display()))?;
        if !names.insert(name.to_owned()) {
            bail!("two recipes are named {name}: a name stands for a recipe in the results");
        }
        let unique: BTreeSet<u64> = seeds.iter().copied().collect();
        for seed in unique {
            let recipe = Recipe { seed, ..recipe.clone() };
            let folder = folder.join(format!("{name}-s{seed}"));
            runs.push(Run { name: name.to_owned(), recipe, folder });
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_runs_with_every_seed_in_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.toml");
        std::fs::write(&path, include_str!("../../recipes/tiny.toml")).unwrap();
        let runs = grid(std::slice::from_ref(&path), &[2, 1, 2], folder.path()).unwrap();
        let labels: Vec<String> = runs.iter().map(Run::label).collect();
        assert_eq!(labels, ["small-s1", "small-s2"]);
        assert_eq!(runs[0].tokens(), 2048 + 2048 + 1024);
        assert!(
            grid(&[path.clone(), path], &[1], folder.path()).unwrap_err().to_string().contains("two recipes are named small")
        );

        runs[0].prepare().unwrap();
        runs[0].prepare().unwrap();
        let mut other = runs[0].clone();
        other.recipe.stages[0].tokens += 1;
        assert!(other.prepare().unwrap_err().to_string().contains("another recipe"));
    }
}
