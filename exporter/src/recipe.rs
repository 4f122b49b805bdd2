//! What to train: a TOML file.

use fathom::format::{Cache, Geometry, Mlp, Norm, Policy, Position, Routing, Variants};
use serde::{Deserialize, Serialize};

/// A recipe. Unknown keys are errors: a misspelt one must not train the wrong model for an hour.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Everything random follows from it.
    pub seed: u64,
    /// Sizes and variants.
    pub model: ModelRecipe,
    /// Trained one after another.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
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
    /// Positions that always keep keys and values where inactive tokens leave none; absent: inactive tokens' are projected.
    #[serde(default)]
    pub omit_after: Option<u16>,
    /// Blocks with keys and values of their own, whose last the later blocks share; absent: all.
    #[serde(default)]
    pub cached_blocks: Option<u16>,
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
    /// As halt, but the last block of a token that halts is its router's own. Needs `cached_blocks`, which also is the least depth.
    Exit,
}

/// What a stage trains.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first `blocks` blocks, with losses at `exits` and some tokens at random depths; routers stay untouched.
    Trunk,
    /// The routers alone, to predict the loss still to be gained.
    Routers,
    /// Everything, end to end with soft gates: the published method.
    Soft,
    /// Everything: exits and routers from the first step, with half of the sequences run again under hard routing.
    Joint,
    /// As a trunk, through block matrices rounded to `bits`: it starts from matrices rounded on training text, and at its end the
    /// matrices become what they are rounded to.
    Quantise,
}

impl Kind {
    /// Whether the routers are trained.
    const fn trains_routers(self) -> bool {
        matches!(self, Self::Routers | Self::Soft | Self::Joint)
    }
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
    /// Peak rate; falls by a cosine to a tenth.
    pub learning_rate: f64,
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
    /// Weight of the mean gate in the loss of soft gates.
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
    /// Largest share of token-layer operations that routed passes of joint stages save; each step draws its own below it.
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

impl Recipe {
    /// Parses TOML and checks what the shape rules do not.
    ///
    /// # Errors
    /// One line that says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|error| one_line(text, &error))?;
        if recipe.stages.is_empty() {
            return Err("a recipe needs at least one [[stage]]".into());
        }
        if recipe.model.omit_after.is_some() && recipe.model.cached_blocks.is_some() {
            return Err(
                "omit_after and cached_blocks exclude each other: inactive tokens either leave nothing or are shared".into()
            );
        }
        for (index, stage) in recipe.stages.iter().enumerate() {
            let all = usize::from(recipe.model.blocks);
            let blocks = stage.blocks.unwrap_or(all);
            let fail = |what: String| Err(format!("stage {index}: {what}"));
            if blocks == 0 || blocks > all {
                return fail(format!("blocks is {blocks}, but must be 1 to {all}"));
            }
            if stage.batch == 0 || stage.tokens == 0 {
                return fail("batch and tokens must be positive".into());
            }
            if let Some(exit) = stage.exits.iter().find(|exit| **exit == 0 || **exit > blocks) {
                return fail(format!("exit {exit} is not a depth from 1 to {blocks}"));
            }
            if !stage.exits.is_empty() && !stage.exits.contains(&blocks) {
                return fail(format!(
                    "exits must include the last depth, {blocks}: the blocks after the last exit would learn nothing"
                ));
            }
            if !(stage.learning_rate > 0.0 && stage.learning_rate.is_finite()) {
                return fail(format!("learning_rate is {}, but must be positive", stage.learning_rate));
            }
            if let Some(rate) = stage.matrix_learning_rate {
                if !(rate > 0.0 && rate.is_finite()) {
                    return fail(format!("matrix_learning_rate is {rate}, but must be positive"));
                }
                if stage.kind == Kind::Routers {
                    return fail("matrix_learning_rate is that of blocks, which a routers stage leaves as they are".into());
                }
            }
            if [stage.weight_decay, stage.lambda].iter().any(|value| !(*value >= 0.0 && value.is_finite())) {
                return fail("weight_decay and lambda must not be negative".into());
            }
            if !(0.0..1.0).contains(&stage.dropout) || !(0.0..=1.0).contains(&stage.random_depth) {
                return fail("dropout and random_depth are shares from 0 to 1".into());
            }
            if (stage.kind == Kind::Quantise) != (stage.bits == Some(4)) || stage.bits.is_some_and(|bits| bits != 4) {
                return fail("a quantise stage has bits = 4, and no other stage has bits".into());
            }
            if !(0.0..=1.0).contains(&stage.imitation) || (stage.imitation > 0.0 && stage.kind != Kind::Quantise) {
                return fail("imitation is a share from 0 to 1 of a quantise stage's loss".into());
            }
            let joint = [stage.shallow_weight, stage.self_distillation, stage.save];
            if joint.iter().any(|value| *value != 0.0) && stage.kind != Kind::Joint {
                return fail("shallow_weight, self_distillation and save belong to joint stages".into());
            }
            if !(0.0..f64::INFINITY).contains(&stage.shallow_weight) {
                return fail(format!("shallow_weight is {}, but must not be negative", stage.shallow_weight));
            }
            if !(0.0..=1.0).contains(&stage.self_distillation) {
                return fail("self_distillation is a share from 0 to 1".into());
            }
            let least = if recipe.model.policy == PolicyName::Exit { recipe.model.cached_blocks.unwrap_or(1) } else { 1 };
            let most = (1.0 - f64::from(least) / all as f64).max(0.0);
            if !(0.0..=most).contains(&stage.save) {
                return fail(format!("save is {}, but {all} blocks save 0 to {most:.3}", stage.save));
            }
            let halts = matches!(recipe.model.policy, PolicyName::Halt | PolicyName::Exit);
            if stage.kind == Kind::Joint && (!halts || recipe.model.soft_scaling) {
                return fail("a joint stage trains routers that halt, without soft scaling".into());
            }
            if recipe.model.policy == PolicyName::Exit {
                let least = recipe.model.cached_blocks.map_or(all, usize::from);
                if stage.random_depth > 0.0 || (stage.kind != Kind::Quantise && !stage.exits.is_empty()) {
                    return fail("a model of policy exit has its exits where its routers are: no exits, no random_depth".into());
                }
                if let Some(exit) = stage.exits.iter().find(|exit| **exit < least) {
                    return fail(format!("exit {exit}: the shallowest of a model of policy exit is cached_blocks, {least}"));
                }
            }
            if stage.kind == Kind::Quantise && blocks != all {
                return fail(format!("a quantise stage uses all {all} blocks"));
            }
            let rounded = recipe.stages.iter().take(index).any(|stage| stage.kind == Kind::Quantise);
            if rounded && stage.kind != Kind::Routers {
                return fail("only routers can be trained after a quantise stage: the matrices are rounded".into());
            }
            if stage.kind.trains_routers() && recipe.model.policy == PolicyName::Dense {
                return fail("a dense model has no routers to train".into());
            }
            if stage.kind.trains_routers() && (blocks != all || all == 1) {
                return fail(format!(
                    "routers, soft and joint stages use all blocks, at least 2; this one has {blocks} of {all}"
                ));
            }
        }
        if recipe.model.policy == PolicyName::Exit && !recipe.stages.iter().any(|stage| stage.kind == Kind::Joint) {
            return Err("policy exit needs a joint stage: no other trains exit blocks from the start".into());
        }
        if recipe.model.policy != PolicyName::Dense && !recipe.stages.iter().any(|stage| stage.kind.trains_routers()) {
            return Err(
                "policy skip or halt needs a stage of kind routers, soft or joint; a model without routers is dense".into()
            );
        }
        Ok(recipe)
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
                PolicyName::Exit => Policy::Exit,
            },
            cache: match (self.omit_after, self.cached_blocks) {
                (Some(kept), _) => Cache::Omit { kept },
                (None, Some(blocks)) => Cache::Share { blocks },
                (None, None) => Cache::Project,
            },
            soft_scaling: self.soft_scaling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = include_str!("../recipes/tiny.toml");

    #[test]
    fn the_committed_recipes_parse_and_pass_the_shape_rules() {
        let others = [
            include_str!("../recipes/default.toml"),
            include_str!("../recipes/soft.toml"),
            include_str!("../recipes/joint.toml"),
            include_str!("../recipes/int4.toml"),
        ];
        for text in [TINY].into_iter().chain(others) {
            let model = Recipe::parse(text).unwrap().model;
            let (geometry, variants, routing) = (model.geometry(65), model.variants(), model.routing());
            let config = crate::config::Config {
                geometry,
                variants,
                routing,
                alphabet: (0..65).collect(),
                corpus_sha256: [0; 32],
                seed: 0,
                training_tokens: 0,
                routers_predict_gain: true,
                split: Default::default(),
            };
            config.shape().unwrap();
        }
    }

    #[test]
    fn rejects_what_would_train_the_wrong_model_in_one_line() {
        let cases = [
            ("seed = 7", "seed = 7\nsede = 3", "line 3: unknown field `sede`"),
            ("batch = 4", "batch = 0", "stage 0: batch and tokens"),
            ("policy = \"halt\"", "policy = \"halt\"\nomit_after = 1\ncached_blocks = 1", "omit_after and cached_blocks exclude"),
            ("exits = [2, 3]", "exits = [2]", "stage 1: exits must include the last depth, 3"),
            ("exits = [2, 3]", "exits = [2, 4]", "stage 1: exit 4 is not a depth"),
            ("learning_rate = 3e-3", "learning_rate = -1.0", "stage 0: learning_rate is -1"),
            ("learning_rate = 3e-3", "learning_rate = nan", "stage 0: learning_rate is NaN"),
            ("warmup = 4", "matrix_learning_rate = 0.0", "stage 0: matrix_learning_rate is 0, but must be positive"),
            (
                "kind = \"routers\"",
                "kind = \"routers\"\nmatrix_learning_rate = 0.02",
                "stage 2: matrix_learning_rate is that of blocks",
            ),
            ("weight_decay = 0.1", "weight_decay = -0.1", "stage 0: weight_decay and lambda"),
            ("dropout = 0.1", "dropout = 1.0", "stage 0: dropout and random_depth"),
            ("kind = \"trunk\"", "kind = \"quantise\"", "stage 0: a quantise stage has bits = 4"),
            ("kind = \"trunk\"", "kind = \"quantise\"\nbits = 3", "stage 0: a quantise stage has bits = 4"),
            ("kind = \"trunk\"", "kind = \"quantise\"\nbits = 4", "stage 0: a quantise stage uses all 3 blocks"),
            ("kind = \"trunk\"\nblocks = 2", "kind = \"quantise\"\nbits = 4", "stage 1: only routers can be trained after"),
            ("kind = \"trunk\"", "kind = \"trunk\"\nbits = 4", "stage 0: a quantise stage has bits = 4, and no other"),
            ("dropout = 0.1", "imitation = 0.5", "stage 0: imitation is a share"),
            ("dropout = 0.1", "save = 0.5", "stage 0: shallow_weight, self_distillation and save belong to joint"),
            (
                "kind = \"trunk\"\nblocks = 2",
                "kind = \"joint\"\nsave = 0.7",
                "stage 0: save is 0.7, but 3 blocks save 0 to 0.667",
            ),
            ("kind = \"trunk\"\nblocks = 2", "kind = \"joint\"\nshallow_weight = -1.0", "stage 0: shallow_weight is -1"),
            ("policy = \"halt\"", "policy = \"dense\"", "stage 2: a dense model has no routers"),
        ];
        for (old, new, wanted) in cases {
            assert!(TINY.contains(old), "{old}");
            let error = Recipe::parse(&TINY.replacen(old, new, 1)).unwrap_err();
            assert!(error.starts_with(wanted) && !error.contains('\n'), "{error}");
        }
        assert!(Recipe::parse(TINY.split("[[stage]]").next().unwrap()).is_err());
    }
}
