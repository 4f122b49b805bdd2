//! The tiny committed checkpoints: one per architecture variant, trained for a second each on a made-up text.
//!
//! `FATHOM_RENEW=1 cargo test --release -p fathom-tests` trains them again and rewrites the goldens; their recipe is
//! `exporter/recipes/tiny.toml` with the variant's fields changed.

use crate::models::Random;
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::corpus::Corpus;
use fathom_exporter::metrics::Metrics;
use fathom_exporter::recipe::{MlpName, NormName, PolicyName, PositionName, Recipe};
use fathom_exporter::split::Split;
use fathom_exporter::train::{Device, Options, train};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Whether committed checkpoints and goldens are to be made anew.
pub fn renew() -> bool {
    std::env::var_os("FATHOM_RENEW").is_some()
}

/// A file or folder below `tests/`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// One variant: the checkpoint's name and how its recipe differs from `tiny.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Name of the folder.
    pub name: &'static str,
    norm: NormName,
    position: PositionName,
    mlp: MlpName,
    bias: bool,
    tied_head: bool,
    kv_heads: u16,
    policy: PolicyName,
    omit_after: Option<u16>,
    soft_scaling: bool,
}

/// Every norm, position, MLP, bias, head, head grouping, policy and cache, each with several others.
pub const VARIANTS: [Variant; 8] = {
    use MlpName::{Gelu, SquaredRelu, Swiglu};
    use NormName::{Layer, Rms};
    use PolicyName::{Dense, Halt, Skip};
    use PositionName::{Learned, Rotary};
    const fn variant(
        name: &'static str,
        (norm, position, mlp): (NormName, PositionName, MlpName),
        (bias, tied_head, kv_heads): (bool, bool, u16),
        (policy, omit_after, soft_scaling): (PolicyName, Option<u16>, bool),
    ) -> Variant {
        Variant { name, norm, position, mlp, bias, tied_head, kv_heads, policy, omit_after, soft_scaling }
    }
    [
        variant("default-halt", (Rms, Rotary, Swiglu), (false, true, 1), (Halt, None, false)),
        variant("default-skip-omit", (Rms, Rotary, Swiglu), (false, true, 2), (Skip, Some(2), false)),
        variant("paper-skip", (Layer, Learned, Gelu), (false, true, 2), (Skip, None, true)),
        variant("layer-rotary-relu", (Layer, Rotary, SquaredRelu), (true, false, 2), (Halt, Some(1), false)),
        variant("rms-learned-gelu", (Rms, Learned, Gelu), (true, true, 1), (Halt, None, true)),
        variant("layer-learned-swiglu", (Layer, Learned, Swiglu), (true, false, 1), (Skip, None, false)),
        variant("rms-learned-relu", (Rms, Learned, SquaredRelu), (false, false, 2), (Halt, None, false)),
        variant("dense", (Layer, Rotary, Gelu), (true, true, 1), (Dense, None, false)),
    ]
};

/// Sentences of a small random grammar: enough structure for a loss to fall, and nobody's text.
pub fn tiny_text() -> String {
    let mut random = Random(4);
    let subjects = ["the router", "a token", "one block", "the cache"];
    let verbs = ["halts", "skips", "keeps", "reads"];
    let objects = ["early", "the residual", "its depth", "a key"];
    let mut text = String::new();
    for _ in 0..120 {
        for (part, end) in [(subjects, " "), (verbs, " "), (objects, ".\n")] {
            text += part[random.below(4)];
            text += end;
        }
    }
    text
}

/// The tiny text as a corpus, in a file that lives as long as the first value.
///
/// # Panics
/// No temporary file can be written.
pub fn tiny_corpus(context: usize) -> (tempfile::NamedTempFile, Corpus) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), tiny_text()).expect("a temporary file can be written");
    let corpus = Corpus::read(file.path(), Split::default(), context, None).expect("the text is long enough");
    (file, corpus)
}

impl Variant {
    /// The recipe of this variant.
    ///
    /// # Panics
    /// `tiny.toml` is no recipe.
    pub fn recipe(&self) -> Recipe {
        let mut recipe = Recipe::parse(include_str!("../../exporter/recipes/tiny.toml")).expect("tiny.toml is a recipe");
        let model = &mut recipe.model;
        (model.norm, model.position, model.mlp, model.bias) = (self.norm, self.position, self.mlp, self.bias);
        (model.tied_head, model.kv_heads, model.policy) = (self.tied_head, self.kv_heads, self.policy);
        (model.omit_after, model.soft_scaling) = (self.omit_after, self.soft_scaling);
        if matches!(self.policy, PolicyName::Dense) {
            model.router_width = 0;
            recipe.stages.pop();
        }
        recipe
    }

    /// The committed checkpoint, trained anew first if asked to.
    ///
    /// # Panics
    /// It is missing or cannot be written.
    pub fn folder(&self) -> Folder {
        static RENEWED: Mutex<Vec<&str>> = Mutex::new(Vec::new());
        let folder = path("checkpoints").join(self.name);
        // Held while training: tests run side by side, and each checkpoint is made once.
        let mut renewed = RENEWED.lock().expect("training did not panic");
        if renew() && !renewed.contains(&self.name) {
            renewed.push(self.name);
            let recipe = self.recipe();
            let (_file, corpus) = tiny_corpus(usize::from(recipe.model.context));
            let options = Options {
                folder: &folder,
                checkpoint_every: usize::MAX,
                resume: false,
                from: None,
                device: &Device::Cpu,
                stop_after: None,
            };
            train(&recipe, &corpus, &options, &mut Metrics::new(None)).expect("a tiny recipe trains");
        }
        Folder::load(&folder).expect("the checkpoint is committed")
    }
}
