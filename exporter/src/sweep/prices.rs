//! Costs of the shapes of a sweep, measured once each and kept in its folder.

use crate::aligned::Aligned;
use crate::calibrate::Candidate;
use crate::checkpoint::{model, write_whole};
use crate::corpus::Corpus;
use crate::cost::Costs;
use crate::fetch::hexadecimal;
use crate::recipe::{Kind, Recipe};
use crate::sweep::grid::Run;
use crate::train::{config, initial};
use anyhow::{Context, Result, anyhow};
use fathom::Blob;
use fathom::format::Element;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Folder of the costs, in that of the sweep.
const FOLDER: &str = "costs";

/// Element type of the blocks' matrices: what a recipe trains for.
pub fn element(recipe: &Recipe) -> Element {
    if recipe.stages.iter().any(|stage| stage.kind == Kind::Quantise) { Element::INT4 } else { Element::Int8 }
}

/// Name of an element type in a record.
pub const fn element_name(element: Element) -> &'static str {
    match element {
        Element::F16 => "f16",
        Element::Int8 => "int8",
        Element::Int4 { .. } => "int4",
    }
}

/// Who measures what tokens cost, and where it is kept.
#[derive(Clone, Debug)]
pub struct Prices {
    /// The program `host-sim`.
    pub host_sim: PathBuf,
    /// The core, by its name in `host-sim`.
    pub core: String,
    /// Folder of the sweep.
    pub folder: PathBuf,
}

impl Prices {
    /// Costs of the model of a run, measured on an untrained one unless they are in the folder already.
    ///
    /// # Errors
    /// `host-sim` fails, or a file cannot be read or written.
    pub fn of(&self, run: &Run, corpus: &Corpus) -> Result<Costs> {
        let blob = untrained(&run.recipe, corpus)?;
        let shape = *Blob::parse(blob.bytes())?.shape();
        let digest = Sha256::digest(format!("{shape:?} {}", self.core));
        let name = hexadecimal(&digest[..8]);
        let folder = self.folder.join(FOLDER);
        let kept = folder.join(format!("{name}.json"));
        if let Ok(text) = std::fs::read_to_string(&kept) {
            return Costs::read(&text).with_context(|| kept.display().to_string());
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let model = folder.join(format!("{name}.fathom"));
        write_whole(&model, blob.bytes())?;
        let costs = Costs::measure(&self.host_sim, &model, &self.core);
        std::fs::remove_file(&model).with_context(|| format!("cannot remove {}", model.display()))?;
        let costs = costs?;
        write_whole(&kept, (serde_json::to_string(&costs)? + "\n").as_bytes())?;
        Ok(costs)
    }
}

/// A blob of a recipe's model as training starts with it.
fn untrained(recipe: &Recipe, corpus: &Corpus) -> Result<Aligned> {
    let config = config(recipe, corpus);
    let shape = config.shape()?;
    let header = config.header(element(recipe), &[], 0, 0.0).map_err(|error| anyhow!(error))?;
    Ok(Aligned::copy(Candidate::new(&header, &model(&initial(&shape, recipe), &shape)?)?.bytes()))
}
