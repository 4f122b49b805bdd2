//! The fused step against candle's own operations.

use super::{TINY, corpus};
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::losses::Batch;
use fathom_exporter::model::{Gates, Model, Parameters};
use fathom_exporter::ops::cross_entropy::cross_entropy;
use fathom_exporter::plain_loop;
use fathom_exporter::recipe::Recipe;
use tempfile::tempdir;

/// A dense model of the tiny recipe's sizes as its first stage leaves it.
#[test]
fn the_fused_step_has_the_loss_and_the_gradients_of_candles_own_operations() {
    let mut recipe = Recipe::parse(TINY).unwrap();
    recipe.model = fathom_exporter::recipe::ModelRecipe {
        router_width: 0,
        norm: fathom_exporter::recipe::NormName::Rms,
        position: fathom_exporter::recipe::PositionName::Rotary,
        mlp: fathom_exporter::recipe::MlpName::Swiglu,
        bias: false,
        policy: fathom_exporter::recipe::PolicyName::Dense,
        omit_after: None,
        key_value_blocks: None,
        soft_scaling: false,
        ..recipe.model
    };
    recipe.stages.truncate(1);
    recipe.stages[0].blocks = None;
    recipe.stages[0].exits = Vec::new();
    let folder = tempdir().unwrap();
    super::run(&recipe, &corpus(folder.path()), folder.path(), false, Some(3)).unwrap();
    let Folder { shape, tensors, .. } = Folder::load(folder.path()).unwrap();
    let parameters = Parameters::new(&tensors).unwrap();
    let tokens = |factor: usize| (0..3 * shape.context).map(|i| (i * factor % 11 % shape.vocabulary) as u16).collect::<Vec<_>>();
    let batch = Batch { inputs: tokens(7), targets: tokens(5) };
    let model = Model::new(&shape, &parameters, shape.blocks).unwrap();
    let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None).unwrap();
    let logits = model.classify(&pass.residuals[shape.blocks]).unwrap();
    let fused = cross_entropy(&logits, &batch.targets).unwrap().mean_all().unwrap();
    let plain = plain_loop::loss(&shape, &parameters, &batch).unwrap();
    let (a, b) = (fused.to_scalar::<f32>().unwrap(), plain.to_scalar::<f32>().unwrap());
    assert!((a - b).abs() < 1e-5, "{a} against {b}");
    let (fused, plain) = (fused.backward().unwrap(), plain.backward().unwrap());
    for (name, var) in &parameters.0 {
        let of = |gradients: &candle_core::backprop::GradStore| {
            gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let (fused, plain) = (of(&fused), of(&plain));
        let largest = plain.iter().fold(0f32, |largest, g| largest.max(g.abs()));
        for (a, b) in fused.iter().zip(&plain) {
            assert!((a - b).abs() < 1e-4 * largest, "{name}: {a} against {b}");
        }
    }
}

/// Large enough that products are shared by threads, and rows by tasks.
#[test]
fn the_number_of_threads_changes_no_bit_of_a_run() {
    let mut recipe = Recipe::parse(TINY).unwrap();
    recipe.model.width = 32;
    recipe.model.mlp_width = 64;
    recipe.stages.iter_mut().for_each(|stage| stage.batch = 32);
    let tensors = |threads: usize| {
        let folder = tempdir().unwrap();
        let corpus = corpus(folder.path());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| super::run(&recipe, &corpus, folder.path(), false, Some(3))).unwrap();
        Folder::load(folder.path()).unwrap().tensors
    };
    let one = tensors(1);
    assert!(one == tensors(2) && one == tensors(3));
}
