//! Rounds the matrices of a model's blocks on a text: in the order of the data, each for the inputs that the already rounded ones give it.

use crate::blob_eval::windows;
use crate::checkpoint::{Tensors, name};
use crate::hessian::Hessian;
use crate::model::{Gates, Inputs, Model, Parameters};
use candle_core::{Result, Tensor};
use fathom::format::Shape;

/// Windows in one forward pass.
const BATCH: usize = 8;

/// Picks a matrix's inputs.
type Pick = fn(Inputs) -> Tensor;

/// Matrices of a block that have the same input, in the order of the data.
const GROUPS: [(&[&str], Pick); 4] = [
    (&[name::QUERY, name::KEY_VALUE], |inputs| inputs.attention),
    (&[name::OUTPUT], |inputs| inputs.output),
    (&[name::UP], |inputs| inputs.up),
    (&[name::DOWN], |inputs| inputs.down),
];

/// Replaces the matrices of every block for which `wanted(block, matrix)` holds by integers in `-limit..=limit` times a scale per row,
/// chosen to change the matrices' outputs on `text` least. Every token runs every block. `progress` is called once per group of matrices
/// with the same input, [`groups`] times.
///
/// # Errors
/// Those of candle.
pub fn round_on_text(
    tensors: &mut Tensors,
    shape: &Shape,
    text: &[u16],
    limit: i8,
    wanted: &dyn Fn(usize, &str) -> bool,
    progress: &dyn Fn(),
) -> Result<()> {
    for (block, (matrices, pick)) in (0..shape.stored_blocks()).flat_map(|block| GROUPS.map(|group| (block, group))) {
        let matrices: Vec<&str> = matrices.iter().copied().filter(|matrix| wanted(block, matrix)).collect();
        if !matrices.is_empty() {
            let hessian = inputs(tensors, shape, text, block, pick)?;
            for matrix in matrices {
                if let Some((_, weight)) = tensors.get_mut(&name::weight(&name::block(block, matrix))) {
                    *weight = hessian.round_rows(weight, limit).weights();
                }
            }
        }
        progress();
    }
    Ok(())
}

/// How often [`round_on_text`] calls its `progress`.
pub fn groups(shape: &Shape) -> usize {
    shape.stored_blocks() * GROUPS.len()
}

/// What the text gives to some matrices of block `block`.
fn inputs(tensors: &Tensors, shape: &Shape, text: &[u16], block: usize, pick: Pick) -> Result<Hessian> {
    let model = Model::new(shape, &Parameters::new(tensors)?, shape.blocks.min(block + 1))?;
    let mut hessian: Option<Hessian> = None;
    let windows = windows(text.len() + 1, shape.context);
    for batch in windows.chunk_by(|a, b| a.len() == b.len()).flat_map(|same| same.chunks(BATCH)) {
        let tokens: Vec<u16> = batch.iter().flat_map(|window| &text[window.clone()]).copied().collect();
        let mut pass = model.forward(&tokens, batch[0].len(), &Gates::Open, None)?;
        let exit =
            (0..shape.outputs()).rev().find(|exit| block >= shape.blocks && shape.exit_block(*exit, shape.trunk()) <= block);
        let inputs = match exit {
            Some(exit) => model.exit(exit, &pass, None)?.1.into_iter().nth(block - shape.exit_block(exit, shape.trunk())),
            None => pass.inputs.pop(),
        };
        let Some(inputs) = inputs else { continue };
        let inputs = pick(inputs);
        let columns = inputs.dims2()?.1;
        hessian.get_or_insert_with(|| Hessian::new(columns)).add(&inputs.flatten_all()?.to_vec1::<f32>()?);
    }
    match hessian {
        Some(hessian) => Ok(hessian),
        None => candle_core::bail!("the calibration text is empty"),
    }
}
