//! Checkpoints that are not what their configuration says.

use crate::{TINY, corpus, run};
use fathom_exporter::checkpoint::{CONFIG_FILE, CheckpointError, TENSORS_FILE, load, load_config, model, parameters, save};
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::recipe::Recipe;
use std::path::PathBuf;
use tempfile::TempDir;

/// A checkpoint after one step, and the folder that keeps it alive.
fn saved() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    run(&Recipe::parse(TINY).unwrap(), &corpus(root.path()), &folder, false, Some(1)).unwrap();
    (root, folder)
}

#[test]
fn roles_hold_exactly_the_tensors_of_the_file() {
    let (_root, folder) = saved();
    let (tensors, _) = load(&folder).unwrap();
    let (_, shape) = load_config(&folder).unwrap();
    let roles = model(&tensors, &shape).unwrap();
    assert_eq!(roles.embedding.weight, tensors["embedding.weight"].1);
    assert_eq!(roles.blocks.len(), 3);
    assert!(roles.blocks[0].router.is_none() && roles.position.is_none() && roles.head.is_none());
    let router = roles.blocks[2].router.as_ref().unwrap();
    assert_eq!(router.hidden.bias.as_ref(), Some(&tensors["blocks.2.router.hidden.bias"].1));
    assert_eq!((roles.blocks[1].up.rows, roles.blocks[1].up.columns), (48, 16));
}

#[test]
fn rejects_a_checkpoint_without_any_one_of_its_tensors() {
    let (_root, folder) = saved();
    let (tensors, state) = load(&folder).unwrap();
    let (_, shape) = load_config(&folder).unwrap();
    for (name, wanted, _) in parameters(&shape) {
        let mut fewer = tensors.clone();
        fewer.remove(&name);
        save(&folder, &fewer, state.as_deref()).unwrap();
        let error = Folder::load(&folder).unwrap_err();
        assert_eq!(error.to_string(), format!("the checkpoint has no tensor {name}, wanted {wanted:?}"));
        assert!(matches!(error, CheckpointError::Missing { .. }));
    }
}

#[test]
fn rejects_a_transposed_tensor_by_name_with_both_shapes() {
    let (_root, folder) = saved();
    let (mut tensors, state) = load(&folder).unwrap();
    tensors.get_mut("blocks.1.up.weight").unwrap().0.reverse();
    save(&folder, &tensors, state.as_deref()).unwrap();
    let error = Folder::load(&folder).unwrap_err().to_string();
    assert_eq!(error, "tensor blocks.1.up.weight of the checkpoint has shape [16, 48], wanted [48, 16]");
}

#[test]
fn rejects_every_truncation_of_the_tensor_file_on_one_line() {
    let (_root, folder) = saved();
    let path = folder.join(TENSORS_FILE);
    let bytes = std::fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(97) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = Folder::load(&folder).unwrap_err().to_string();
        assert!(error.contains("model.safetensors is malformed") && !error.contains('\n'), "{length}: {error}");
    }
}

#[test]
fn rejects_a_configuration_with_unknown_keys_or_an_impossible_shape() {
    let (_root, folder) = saved();
    let path = folder.join(CONFIG_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let edit = |old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
        Folder::load(&folder).unwrap_err()
    };
    assert!(matches!(edit("\"seed\"", "\"sede\""), CheckpointError::Malformed(..)));
    assert!(matches!(edit("\"heads\": 2", "\"heads\": 3"), CheckpointError::Shape(_)));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Folder::load(&folder), Err(CheckpointError::File(..))));
}

#[test]
fn saving_leaves_no_partial_file() {
    let (_root, folder) = saved();
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "metrics.jsonl", "model.safetensors"]);
}
