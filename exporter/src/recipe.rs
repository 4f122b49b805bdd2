//! What to train: a TOML file.

use crate::config::Config;
use crate::recipe_rules::check;
use crate::split::Split;
use fathom::format::{Cache, Geometry, Mlp, Norm, Policy, Position, Routing, Variants};
use serde::{Deserialize, Serialize};

/// A recipe. Unknown keys are errors: a misspelt one must not train the wrong model for an hour.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Everything random follows from it.
    pub seed: u64,
    /// Weights before training.
    #[serde(default, skip_serializing_if = "Initialisation::is_default")]
    pub initialisation: Initialisation,
    /// Sizes and variants.
    pub model: ModelRecipe,
    /// Trained one after another.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// Standard deviations of the weights before training; those of residual outputs are divided by `sqrt(2 * blocks)`, those of the embedding
/// are always 0.02.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// `0.7 / sqrt(columns)`.
    #[default]
    FanIn,
    /// 0.02 (Radford et al. 2019), as the published soft gates have it.
    Gpt2,
}

impl Initialisation {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Sizes and variants of the finished model.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// Decoder blocks.
    pub blocks: u16,
    /// Residual width.
    pub width: u16,
    /// Query heads.
    pub heads: u16,
    /// Key/value heads.
    pub kv_heads: u16,
    /// MLP hidden width.
    pub mlp_width: u16,
    /// Context in tokens.
    pub context: u16,
    /// Router hidden width; 0 for a dense model.
    #[serde(default)]
    pub router_width: u16,
    /// Normalisation.
    pub norm: NormName,
    /// Position encoding.
    pub position: PositionName,
    /// MLP form.
    pub mlp: MlpName,
    /// Biases in linear layers and LayerNorm.
    #[serde(default)]
    pub bias: bool,
    /// Head tied to the embedding.
    #[serde(default)]
    pub tied_head: bool,
    /// Routing policy.
    pub policy: PolicyName,
    /// Exit depths of policy exit: blocks of tokens that do not run all, exit blocks included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_depths: Vec<u16>,
    /// Positions that always keep keys and values where inactive tokens leave none; absent: inactive tokens' are projected.
    #[serde(default)]
    pub omit_after: Option<u16>,
    /// Blocks that make keys and values, the last of them also those of all later blocks; absent: each makes its own.
    #[serde(default)]
    pub key_value_blocks: Option<u16>,
    /// Whether active branches are scaled by `1 - p` at run time.
    #[serde(default)]
    pub soft_scaling: bool,
}

/// TOML names of [`Norm`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum NormName {
    /// LayerNorm.
    Layer,
    /// RMSNorm.
    Rms,
}

/// TOML names of [`Position`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PositionName {
    /// Learned vectors.
    Learned,
    /// Rotary.
    Rotary,
}

/// TOML names of [`Mlp`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum MlpName {
    /// GELU.
    Gelu,
    /// Squared ReLU.
    SquaredRelu,
    /// SwiGLU.
    Swiglu,
}

/// TOML names of [`Policy`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// No routers.
    Dense,
    /// Independent routers.
    Skip,
    /// Once inactive, inactive to the end.
    Halt,
    /// One router sends tokens on ways of their own, of different depths. Needs `exit_depths` and `key_value_blocks`.
    Exit,
}

/// What a stage trains.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first `blocks` blocks, with losses at `exits` and some tokens at random depths; routers stay untouched.
    Trunk,
    /// The routers alone, to predict how far the head's prediction here is from that at full depth, negated, as joint stages do.
    Routers,
    /// Everything, end to end with soft gates: the published method.
    Soft,
    /// Everything, end to end with gates of 0 or 1, whose gradient is that of soft ones (straight through), towards a share to save.
    Hard,
    /// Everything: exits and routers from the first step, under hard routing too.
    Joint,
    /// As a trunk, through block matrices rounded to `bits`: it starts from matrices rounded on training text, and at its end the
    /// matrices become what they are rounded to.
    Quantise,
}

impl Kind {
    /// Whether the routers are trained.
    pub(crate) const fn trains_routers(self) -> bool {
        matches!(self, Self::Routers | Self::Soft | Self::Hard | Self::Joint)
    }
}

/// How the rate falls from its peak over a stage.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// By half a cosine, to a tenth.
    #[default]
    Cosine,
    /// Straight to nothing: less of the last batches' noise is left in the weights (RESULTS.md).
    Linear,
}

/// One stage of training.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What is trained.
    pub kind: Kind,
    /// Blocks in use; more than the stage before adds fresh ones. Default: all.
    #[serde(default)]
    pub blocks: Option<usize>,
    /// Training tokens.
    pub tokens: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Peak rate.
    pub learning_rate: f64,
    /// How it falls after the warm-up.
    #[serde(default, skip_serializing_if = "is_cosine")]
    pub schedule: Schedule,
    /// Peak rate of Muon for the matrices of blocks, which falls as the other; none: they are updated by AdamW like the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_learning_rate: Option<f64>,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup: usize,
    /// Decoupled weight decay of matrices.
    #[serde(default)]
    pub weight_decay: f64,
    /// Dropout of both branches.
    #[serde(default)]
    pub dropout: f64,
    /// Depths whose residual is classified and trained; default: the last.
    #[serde(default)]
    pub exits: Vec<usize>,
    /// Share of tokens that stop at a random exit.
    #[serde(default)]
    pub random_depth: f64,
    /// Weight in the loss: of soft gates' mean, of the squared distance of hard gates' mean from the share that may run.
    #[serde(default)]
    pub lambda: f64,
    /// Share of the loss that is the distance from the predictions of the unrounded model that a quantise stage starts from; the rest is
    /// that of other stages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub imitation: f64,
    /// Weight, in joint stages, of the mean loss of the shallower exits beside that of the last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shallow_weight: f64,
    /// Share of a shallower exit's loss, in joint stages, that is its distance from the predictions at full depth.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub self_distillation: f64,
    /// Share of token-layer operations to save: in hard stages what the last quarter is to save; in joint stages the most that routed
    /// passes save, each step draws its own below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub save: f64,
    /// Bits of a rounded weight, in quantise stages: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
}

/// Absent from a recipe's fingerprint where absent from the recipe, so that checkpoints of older recipes resume.
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// As [`is_zero`], of the schedule that recipes had before they could name one.
fn is_cosine(schedule: &Schedule) -> bool {
    *schedule == Schedule::Cosine
}

impl Recipe {
    /// Parses TOML and checks what the shape rules do not.
    ///
    /// # Errors
    /// One line that says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|error| one_line(text, &error))?;
        check(&recipe)?;
        Ok(recipe)
    }

    /// The kind of the last stage that trains routers.
    pub fn router_stage(&self) -> Option<Kind> {
        self.stages.iter().map(|stage| stage.kind).rfind(|kind| kind.trains_routers())
    }
}

/// A parse error with its line number, without the excerpt that toml draws over several lines.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => format!("line {}: {message}", 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()),
        None => message,
    }
}

impl ModelRecipe {
    /// Sizes, with the corpus's vocabulary.
    pub fn geometry(&self, vocabulary: usize) -> Geometry {
        let Self { blocks, width, heads, kv_heads, mlp_width, context, router_width, .. } = *self;
        Geometry { blocks, width, heads, kv_heads, mlp_width, context, vocabulary: vocabulary as u16, router_width }
    }

    /// Architecture variants.
    pub fn variants(&self) -> Variants {
        Variants {
            norm: match self.norm {
                NormName::Layer => Norm::LayerNorm,
                NormName::Rms => Norm::RmsNorm,
            },
            position: match self.position {
                PositionName::Learned => Position::Learned,
                PositionName::Rotary => Position::Rotary,
            },
            mlp: match self.mlp {
                MlpName::Gelu => Mlp::Gelu,
                MlpName::SquaredRelu => Mlp::SquaredRelu,
                MlpName::Swiglu => Mlp::SwiGlu,
            },
            bias: self.bias,
            tied_head: self.tied_head,
        }
    }

    /// Depth decisions.
    pub fn routing(&self) -> Routing {
        Routing {
            policy: match self.policy {
                PolicyName::Dense => Policy::Dense,
                PolicyName::Skip => Policy::Skip,
                PolicyName::Halt => Policy::Halt,
                PolicyName::Exit => Policy::Exit { depths: self.exit_depths.iter().copied().map(usize::from).collect() },
            },
            cache: match (self.omit_after, self.key_value_blocks) {
                (Some(kept), _) => Cache::Omit { kept },
                (None, Some(blocks)) => Cache::Ahead { blocks },
                (None, None) => Cache::Project,
            },
            soft_scaling: self.soft_scaling,
        }
    }
}

impl Recipe {
    /// The configuration of its model on a corpus of this alphabet, before training; of no corpus yet.
    pub fn config(&self, alphabet: Vec<u8>) -> Config {
        Config {
            geometry: self.model.geometry(alphabet.len()),
            variants: self.model.variants(),
            routing: self.model.routing(),
            alphabet,
            corpus_sha256: [0; 32],
            seed: self.seed,
            training_tokens: 0,
            comparable_routers: self.router_stage() != Some(Kind::Soft),
            split: Split::default(),
        }
    }
}

#[cfg(test)]
impl Recipe {
    /// The shape of its model, for tests without a corpus.
    pub(crate) fn shape(&self, vocabulary: u8) -> Result<fathom::format::Shape, fathom::format::ShapeError> {
        self.config((0..vocabulary).collect()).shape()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_recipes_parse_and_pass_the_shape_rules() {
        for folder in ["recipes", "recipes/compare", "recipes/soft"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    Recipe::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).shape(65).unwrap();
                }
            }
        }
    }
}
