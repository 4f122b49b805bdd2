//! Fine-tuning through rounded matrices, and rounding on a text.

use crate::{TINY, corpus, run, run_from};
use fathom::Blob;
use fathom::format::Element;
use fathom_exporter::calibrate::{Levels, calibrate};
use fathom_exporter::calibrated_rounding::round_on_text;
use fathom_exporter::checkpoint::{CONFIG_FILE, TENSORS_FILE, Tensors, model, name};
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::corpus::Corpus;
use fathom_exporter::evaluate::{evaluate, open_pass};
use fathom_exporter::export::blob;
use fathom_exporter::model::{Gates, Model, Parameters};
use fathom_exporter::quantise::INT4;
use fathom_exporter::recipe::Recipe;
use fathom_exporter::rounding::{is_rounded, round_blocks};
use std::path::Path;

/// The tiny model, fine-tuned: 16 steps through rounded matrices, 8 of routers.
pub fn int4() -> Recipe {
    let model = TINY.split("[[stage]]").next().unwrap();
    let quantise = "[[stage]]\nkind = \"quantise\"\nbits = 4\ntokens = 1_024\nbatch = 4\nlearning_rate = 1e-3\nexits = [2, 3]\n\
                    random_depth = 0.3\ndropout = 0.1\nimitation = 0.5\n";
    let routers = "[[stage]]\nkind = \"routers\"\ntokens = 512\nbatch = 4\nlearning_rate = 1e-3\n";
    Recipe::parse(&[model, quantise, routers].concat()).unwrap()
}

/// The tiny model, its trunk trained for longer, so that rounding has something to spoil.
fn trained(corpus: &Corpus, folder: &Path) {
    let mut recipe = Recipe::parse(TINY).unwrap();
    recipe.stages.iter_mut().for_each(|stage| stage.tokens *= 4);
    run(&recipe, corpus, folder, false, None).unwrap();
}

fn nats(tensors: &Tensors, folder: &Folder, text: &[u16]) -> f64 {
    let model = Model::new(&folder.shape, &Parameters::new(tensors).unwrap(), folder.shape.blocks).unwrap();
    evaluate(&model, text, folder.shape.context, &Gates::Open, &|_| ()).unwrap().nats()
}

#[test]
fn fine_tuning_leaves_rounded_matrices_that_beat_rounding_and_resumes_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let (corpus, before) = (corpus(root.path()), root.path().join("before"));
    trained(&corpus, &before);
    let whole = root.path().join("whole");
    run_from(&int4(), &corpus, &whole, Some(&before), None).unwrap();
    for stop in [1, 9, 16, 17] {
        let parts = root.path().join(format!("stopped at {stop}"));
        run_from(&int4(), &corpus, &parts, Some(&before), Some(stop)).unwrap();
        run(&int4(), &corpus, &parts, true, None).unwrap();
        for file in [TENSORS_FILE, CONFIG_FILE] {
            assert!(
                std::fs::read(whole.join(file)).unwrap() == std::fs::read(parts.join(file)).unwrap(),
                "{file} differs at {stop}"
            );
        }
    }
    let (before, after) = (Folder::load(&before).unwrap(), Folder::load(&whole).unwrap());
    assert!(is_rounded(&after.tensors, &after.shape, INT4) && !is_rounded(&before.tensors, &before.shape, INT4));
    assert_eq!(after.config.training_tokens, before.config.training_tokens + 1_024 + 512);
    let mut plain = before.tensors.clone();
    round_blocks(&mut plain, &before.shape, 7);
    let text = &corpus.training()[..2_000];
    let (plain, tuned) = (nats(&plain, &before, text), nats(&after.tensors, &after, text));
    assert!(tuned < plain, "{tuned} nats fine-tuned, {plain} rounded");
}

#[test]
fn rounding_on_a_text_spoils_less_than_rounding_rows_and_only_what_is_wanted() {
    let root = tempfile::tempdir().unwrap();
    let (corpus, path) = (corpus(root.path()), root.path().join("run"));
    trained(&corpus, &path);
    let folder = Folder::load(&path).unwrap();
    let text = &corpus.training()[..2_000];
    let (mut rows, mut on_text) = (folder.tensors.clone(), folder.tensors.clone());
    // Three bits, so that the difference is far above noise.
    round_blocks(&mut rows, &folder.shape, 3);
    round_on_text(&mut on_text, &folder.shape, text, 3, &|_, _| true, &|| ()).unwrap();
    let [float, rows, on_text] = [&folder.tensors, &rows, &on_text].map(|tensors| nats(tensors, &folder, text));
    assert!(on_text - float < 0.7 * (rows - float), "float {float}, rows {rows}, on text {on_text}");
    let mut some = folder.tensors.clone();
    round_on_text(&mut some, &folder.shape, text, 7, &|block, matrix| block == 1 && matrix == name::UP, &|| ()).unwrap();
    let moved: Vec<&String> =
        some.iter().filter(|(name, values)| folder.tensors[*name] != **values).map(|(name, _)| name).collect();
    assert_eq!(moved, ["blocks.1.up.weight"]);
}

#[test]
fn rejects_fine_tuning_another_model() {
    let root = tempfile::tempdir().unwrap();
    let (corpus, before) = (corpus(root.path()), root.path().join("before"));
    run(&Recipe::parse(TINY).unwrap(), &corpus, &before, false, Some(3)).unwrap();
    let mut wider = int4();
    wider.model.mlp_width *= 2;
    let mut other = corpus.clone();
    other.alphabet = b"other".to_vec();
    for (recipe, corpus) in [(&wider, &corpus), (&int4(), &other)] {
        let error = run_from(recipe, corpus, &root.path().join("after"), Some(&before), None).unwrap_err().to_string();
        assert!(error.contains("is of another model than the recipe's"), "{error}");
    }
}

/// The whole way of the default int4 model, on the tiny one.
#[test]
fn a_fine_tuned_model_calibrates_and_evaluates_through_its_int4_blob_as_in_float() {
    let root = tempfile::tempdir().unwrap();
    let (corpus, before, after) = (corpus(root.path()), root.path().join("before"), root.path().join("after"));
    trained(&corpus, &before);
    run_from(&int4(), &corpus, &after, Some(&before), None).unwrap();
    let folder = Folder::load(&after).unwrap();
    let shape = folder.shape;
    let float = Model::new(&shape, &Parameters::new(&folder.tensors).unwrap(), shape.blocks).unwrap();
    let text = &corpus.training()[..1_500];
    let levels = Levels::new(shape.policy, true, open_pass(&float, text, shape.context).unwrap());
    let header = folder.config.header(Element::INT4, &[], 0, 0.0).unwrap();
    let roles = model(&folder.tensors, &shape).unwrap();
    let points = calibrate(&header, &roles, &levels, text, &text[..1_500], &[0.3, 0.0], &mut |_, _| ()).unwrap();
    assert!((points[0].saved - 0.3).abs() < 0.01);
    // The integers of the blob are those of the checkpoint: what is left are activations in int8.
    let nats = nats(&folder.tensors, &folder, text);
    assert!((f64::from(points[1].loss_nats) - nats).abs() < 0.03, "{} through the blob, {nats} in float", points[1].loss_nats);
    let bytes = |element| {
        let header = folder.config.header(element, &points, 0, 0.0).unwrap();
        let bytes = blob(&header, &roles).unwrap();
        Blob::parse(bytes.bytes()).unwrap();
        bytes.bytes().len()
    };
    assert!(bytes(Element::INT4) < bytes(Element::Int8));
}
