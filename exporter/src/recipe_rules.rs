//! Which recipes make sense beyond what the shape rules say: one line of what is wrong and where.

use crate::recipe::{Kind, PolicyName, Recipe, Stage};
use fathom::format::header::MAX_BLOCKS;

/// Windows of a step: more would not fit into any memory.
const MOST_BATCH: usize = 65_536;

/// Checks a recipe.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check(recipe: &Recipe) -> Result<(), String> {
    if recipe.stages.is_empty() {
        return Err("a recipe needs at least one [[stage]]".into());
    }
    if recipe.model.omit_after.is_some() && recipe.model.key_value_blocks.is_some() {
        return Err("omit_after and key_value_blocks exclude each other: keys and values made ahead are never omitted".into());
    }
    let policy = recipe.model.policy;
    let exits = &recipe.model.exit_depths;
    if (policy == PolicyName::Exit) == exits.is_empty() {
        return Err("policy exit needs exit_depths, and no other policy has them".into());
    }
    if usize::from(recipe.model.blocks) > MAX_BLOCKS {
        return Err(format!("blocks is {}, but must be 1 to {MAX_BLOCKS}", recipe.model.blocks));
    }
    if let Some(depth) = exits.iter().find(|depth| **depth >= recipe.model.blocks) {
        return Err(format!("exit depth {depth} is not less than blocks, {}", recipe.model.blocks));
    }
    if !exits.is_empty() && recipe.model.key_value_blocks.is_none() {
        return Err(
            "policy exit needs key_value_blocks: where the last of them begins, all keys and values are made and ways part"
                .into(),
        );
    }
    for (index, stage) in recipe.stages.iter().enumerate() {
        values(stage)
            .and_then(|()| depths(recipe, stage))
            .and_then(|()| place(recipe, index, stage))
            .map_err(|what| format!("stage {index}: {what}"))?;
    }
    if recipe.model.soft_scaling && recipe.stages.last().is_some_and(|stage| stage.kind != Kind::Soft) {
        return Err("with soft_scaling routers scale every branch, which only a soft stage trains: it must be the last".into());
    }
    if recipe.model.context == 0 {
        return Err("context is 0, but must be at least 1".into());
    }
    let has = |wanted: fn(Kind) -> bool| recipe.stages.iter().any(|stage| wanted(stage.kind));
    if policy == PolicyName::Exit && !has(|kind| matches!(kind, Kind::Joint | Kind::Quantise)) {
        return Err("policy exit needs a stage of kind joint, or of kind quantise that starts --from such a model".into());
    }
    if matches!(policy, PolicyName::Skip | PolicyName::Halt) && !has(Kind::trains_routers) {
        return Err(
            "policy skip or halt needs a stage of kind routers, soft, hard or joint; a model without routers is dense".into()
        );
    }
    Ok(())
}

fn fail(what: impl Into<String>) -> Result<(), String> {
    Err(what.into())
}

/// Each value by itself, and beside the kind of its stage.
fn values(stage: &Stage) -> Result<(), String> {
    if stage.batch == 0 || stage.tokens == 0 {
        return fail("batch and tokens must be positive");
    }
    if stage.batch > MOST_BATCH {
        return fail(format!("batch is {}, but must be 1 to {MOST_BATCH}", stage.batch));
    }
    if !(stage.learning_rate > 0.0 && stage.learning_rate.is_finite()) {
        return fail(format!("learning_rate is {}, but must be positive", stage.learning_rate));
    }
    if let Some(rate) = stage.matrix_learning_rate {
        if !(rate > 0.0 && rate.is_finite()) {
            return fail(format!("matrix_learning_rate is {rate}, but must be positive"));
        }
        if stage.kind == Kind::Routers {
            return fail("matrix_learning_rate is that of blocks, which a routers stage leaves as they are");
        }
    }
    if [stage.weight_decay, stage.lambda].iter().any(|value| !(*value >= 0.0 && value.is_finite())) {
        return fail("weight_decay and lambda must not be negative");
    }
    if !(0.0..1.0).contains(&stage.dropout) || !(0.0..=1.0).contains(&stage.random_depth) {
        return fail("dropout and random_depth are shares from 0 to 1");
    }
    if (stage.kind == Kind::Quantise) != (stage.bits == Some(4)) || stage.bits.is_some_and(|bits| bits != 4) {
        return fail("a quantise stage has bits = 4, and no other stage has bits");
    }
    if !(0.0..=1.0).contains(&stage.imitation) || (stage.imitation > 0.0 && stage.kind != Kind::Quantise) {
        return fail("imitation is a share from 0 to 1 of a quantise stage's loss");
    }
    let joint = [stage.shallow_weight, stage.self_distillation];
    if joint.iter().any(|value| *value != 0.0) && stage.kind != Kind::Joint {
        return fail("shallow_weight and self_distillation belong to joint stages");
    }
    if stage.save != 0.0 && !matches!(stage.kind, Kind::Hard | Kind::Joint) {
        return fail("save belongs to hard and joint stages");
    }
    if stage.kind == Kind::Hard && (stage.lambda == 0.0 || stage.save == 0.0) {
        return fail("a hard stage needs save, and lambda to hold its gates to it");
    }
    if stage.kind == Kind::Hard && (stage.random_depth > 0.0 || !stage.exits.is_empty()) {
        return fail("a hard stage has one depth for each token, that of its gates: leave out exits and random_depth");
    }
    if !(0.0..f64::INFINITY).contains(&stage.shallow_weight) {
        return fail(format!("shallow_weight is {}, but must not be negative", stage.shallow_weight));
    }
    if !(0.0..=1.0).contains(&stage.self_distillation) {
        return fail("self_distillation is a share from 0 to 1");
    }
    Ok(())
}

/// Blocks, exits and shares to save.
fn depths(recipe: &Recipe, stage: &Stage) -> Result<(), String> {
    let all = usize::from(recipe.model.blocks);
    let blocks = stage.blocks.unwrap_or(all);
    if blocks == 0 || blocks > all {
        return fail(format!("blocks is {blocks}, but must be 1 to {all}"));
    }
    if blocks < all && recipe.model.key_value_blocks.is_some() {
        return fail(format!("blocks is {blocks}, but keys and values of all {all} are made from the first step: leave it out"));
    }
    if let Some(exit) = stage.exits.iter().find(|exit| **exit == 0 || **exit > blocks) {
        return fail(format!("exit {exit} is not a depth from 1 to {blocks}"));
    }
    if !stage.exits.is_sorted_by(|a, b| a < b) {
        return fail("exits must ascend");
    }
    if !stage.exits.is_empty() && !stage.exits.contains(&blocks) {
        return fail(format!("exits must include the last depth, {blocks}: the blocks after the last exit would learn nothing"));
    }
    let least = recipe.model.exit_depths.iter().min().map_or(1, |depth| usize::from(*depth));
    if recipe.model.policy == PolicyName::Exit {
        if stage.random_depth > 0.0 || (stage.kind != Kind::Quantise && !stage.exits.is_empty()) {
            return fail("the exits of policy exit are its exit_depths: leave out exits and random_depth");
        }
        let missing = recipe.model.exit_depths.iter().find(|depth| !stage.exits.contains(&usize::from(**depth)));
        if let Some(depth) = missing.filter(|_| stage.kind == Kind::Quantise) {
            return fail(format!("exits lacks {depth}: the blocks of that exit would be rounded and learn nothing"));
        }
        let is_depth = |exit: usize| exit == all || recipe.model.exit_depths.iter().any(|depth| usize::from(*depth) == exit);
        if let Some(exit) = stage.exits.iter().find(|exit| !is_depth(**exit)) {
            return fail(format!("exit {exit} is neither one of exit_depths nor the last depth, {all}"));
        }
    }
    let most = (1.0 - least as f64 / all as f64).max(0.0);
    if !(0.0..=most).contains(&stage.save) {
        return fail(format!("save is {}, but {all} blocks save 0 to {most:.3}", stage.save));
    }
    Ok(())
}

/// The kind of a stage beside the model and the stages before it.
fn place(recipe: &Recipe, index: usize, stage: &Stage) -> Result<(), String> {
    let all = usize::from(recipe.model.blocks);
    let blocks = stage.blocks.unwrap_or(all);
    let halts = matches!(recipe.model.policy, PolicyName::Halt | PolicyName::Exit);
    if stage.kind == Kind::Joint && (!halts || recipe.model.soft_scaling) {
        return fail("a joint stage trains routers that halt, without soft scaling");
    }
    if stage.kind == Kind::Soft && recipe.model.policy == PolicyName::Exit {
        return fail("a soft stage trains routers that skip or halt");
    }
    if stage.kind == Kind::Hard && (recipe.model.policy == PolicyName::Exit || recipe.model.soft_scaling) {
        return fail("a hard stage trains routers that skip or halt, without soft scaling");
    }
    if stage.kind == Kind::Quantise && blocks != all {
        return fail(format!("a quantise stage uses all {all} blocks"));
    }
    let rounded = recipe.stages.iter().take(index).any(|stage| stage.kind == Kind::Quantise);
    if rounded && stage.kind != Kind::Routers {
        return fail("only routers can be trained after a quantise stage: the matrices are rounded");
    }
    if stage.kind.trains_routers() && recipe.model.policy == PolicyName::Dense {
        return fail("a dense model has no routers to train");
    }
    if stage.kind.trains_routers() && (blocks != all || all == 1) {
        return fail(format!("routers, soft, hard and joint stages use all blocks, at least 2; this one has {blocks} of {all}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = include_str!("../recipes/tiny.toml");

    #[test]
    fn rejects_what_would_train_the_wrong_model_in_one_line() {
        let cases = [
            ("seed = 7", "seed = 7\nsede = 3", "line 3: unknown field `sede`"),
            ("batch = 4", "batch = 0", "stage 0: batch and tokens"),
            (
                "policy = \"halt\"",
                "policy = \"halt\"\nomit_after = 1\nkey_value_blocks = 1",
                "omit_after and key_value_blocks exclude",
            ),
            ("exits = [2, 3]", "exits = [2]", "stage 1: exits must include the last depth, 3"),
            ("exits = [2, 3]", "exits = [3, 2]", "stage 1: exits must ascend"),
            ("exits = [2, 3]", "exits = [2, 2, 3]", "stage 1: exits must ascend"),
            ("batch = 4", "batch = 100_000", "stage 0: batch is 100000, but must be 1 to 65536"),
            ("context = 16", "context = 0", "context is 0"),
            ("tied_head = true", "tied_head = true\nsoft_scaling = true", "with soft_scaling routers scale every branch"),
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
            ("dropout = 0.1", "save = 0.5", "stage 0: save belongs to hard and joint"),
            (
                "kind = \"trunk\"\nblocks = 2",
                "kind = \"joint\"\nsave = 0.7",
                "stage 0: save is 0.7, but 3 blocks save 0 to 0.667",
            ),
            ("kind = \"trunk\"\nblocks = 2", "kind = \"joint\"\nshallow_weight = -1.0", "stage 0: shallow_weight is -1"),
            (
                "kind = \"trunk\"\nblocks = 2",
                "kind = \"hard\"\nshallow_weight = 1.0",
                "stage 0: shallow_weight and self_distillation",
            ),
            ("kind = \"trunk\"\nblocks = 2", "kind = \"hard\"\nsave = 0.3", "stage 0: a hard stage needs save, and lambda"),
            (
                "kind = \"trunk\"\nblocks = 2",
                "kind = \"hard\"\nlambda = 1.0\nsave = 0.3\nrandom_depth = 0.1",
                "stage 0: a hard stage has one depth",
            ),
            (
                "policy = \"halt\"\n\n[[stage]]\nkind = \"trunk\"\nblocks = 2",
                "policy = \"halt\"\nsoft_scaling = true\n\n[[stage]]\nkind = \"hard\"\nlambda = 1.0\nsave = 0.3",
                "stage 0: a hard stage trains routers that skip or halt, without soft scaling",
            ),
            ("policy = \"halt\"", "policy = \"exit\"", "policy exit needs exit_depths"),
            ("policy = \"halt\"", "policy = \"halt\"\nexit_depths = [2]", "policy exit needs exit_depths"),
            ("policy = \"halt\"", "policy = \"exit\"\nexit_depths = [2, 3]", "exit depth 3 is not less than blocks, 3"),
            ("policy = \"halt\"", "policy = \"exit\"\nexit_depths = [2]", "policy exit needs key_value_blocks"),
            (
                "policy = \"halt\"",
                "policy = \"halt\"\nkey_value_blocks = 2",
                "stage 0: blocks is 2, but keys and values of all 3",
            ),
            ("blocks = 3", "blocks = 40", "blocks is 40, but must be 1 to 24"),
            ("policy = \"halt\"", "policy = \"dense\"", "stage 2: a dense model has no routers"),
        ];
        for (old, new, wanted) in cases {
            assert!(TINY.contains(old), "{old}");
            let error = Recipe::parse(&TINY.replacen(old, new, 1)).unwrap_err();
            assert!(error.starts_with(wanted) && !error.contains('\n'), "{error}");
        }
        let model = TINY.split("[[stage]]").next().unwrap();
        assert!(Recipe::parse(model).is_err());
        let exit = model.replace("\"halt\"", "\"exit\"")
            + "exit_depths = [2]\nkey_value_blocks = 2\n[[stage]]\ntokens = 64\nbatch = 4\nlearning_rate = 1e-3\n";
        for (stage, wanted) in [
            ("kind = \"joint\"\nsave = 0.3\n", None),
            ("kind = \"trunk\"\n", Some("policy exit needs a stage of kind joint")),
            ("kind = \"hard\"\nlambda = 1.0\nsave = 0.3\n", Some("stage 0: a hard stage trains routers that skip or halt")),
            ("kind = \"soft\"\n", Some("stage 0: a soft stage trains routers that skip or halt")),
            ("kind = \"quantise\"\nbits = 4\n", Some("stage 0: exits lacks 2")),
            ("kind = \"quantise\"\nbits = 4\nexits = [2, 3]\n", None),
            ("kind = \"joint\"\nsave = 0.4\n", Some("stage 0: save is 0.4, but 3 blocks save 0 to 0.333")),
            ("kind = \"joint\"\nexits = [2, 3]\n", Some("stage 0: the exits of policy exit are")),
            ("kind = \"quantise\"\nbits = 4\nexits = [1, 2, 3]\n", Some("stage 0: exit 1 is neither one of exit_depths")),
        ] {
            let error = Recipe::parse(&(exit.clone() + stage)).err();
            assert!(error.as_deref().unwrap_or_default().starts_with(wanted.unwrap_or_default()), "{error:?}");
            assert_eq!(error.is_some(), wanted.is_some());
        }
    }
}
