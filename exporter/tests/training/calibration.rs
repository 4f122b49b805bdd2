//! Thresholds that were fitted to one text save the same of another of its kind.

use crate::resume::{hard, joint, soft, with_exit_blocks};
use crate::run;
use fathom::format::Element;
use fathom_exporter::calibrate::{Candidate, Levels, sample};
use fathom_exporter::checkpoint::model;
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::corpus::Corpus;
use fathom_exporter::evaluate::open_pass;
use fathom_exporter::model::{Model, Parameters};
use fathom_exporter::recipe::PolicyName;
use fathom_exporter::split::Split;

/// Tokens that thresholds are fitted to, and tokens that they are then tried on.
const TOKENS: usize = 16_384;

/// Words of one to seven letters in an order that a xorshift makes, `bytes` of them. If it `drifts`, it starts with letters without
/// order, and more and more of it are words.
fn text(bytes: usize, drifts: bool) -> Vec<u8> {
    const WORDS: [&str; 8] = ["a", "be", "cad", "dead", "faced", "a bead", "decade", "facade "];
    let mut state = 1u32;
    let mut text = Vec::new();
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if drifts && (state >> 8) as usize % bytes > text.len() {
            text.extend((0..8).map(|index| b'a' + (state >> (3 * index)) as u8 % 6));
        } else {
            text.extend_from_slice(WORDS[state as usize % WORDS.len()].as_bytes());
        }
        text.push(b' ');
    }
    text
}

/// The share that a model saves of `text` at thresholds fitted to `sample`, beside that of the sample.
fn fitted(folder: &Folder, target: f64, sample: &[u16], text: &[u16]) -> (f64, f64) {
    let shape = folder.shape;
    let float = Model::new(&shape, &Parameters::new(&folder.tensors).unwrap(), shape.blocks).unwrap();
    let levels = Levels::new(shape.policy, folder.config.comparable_routers, open_pass(&float, sample, shape.context).unwrap());
    let header = folder.config.header(Element::Int8, &[], 0, 0.0).unwrap();
    let mut candidate = Candidate::new(&header, &model(&folder.tensors, &shape).unwrap()).unwrap();
    let (thresholds, fitted) = candidate.nearest(target, &levels, sample).unwrap();
    (fitted, candidate.evaluate(&thresholds, text).unwrap().saved())
}

#[test]
fn thresholds_save_their_share_of_held_out_text_within_one_point() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("corpus.txt");
    std::fs::write(&path, text(20 * TOKENS + 40, false)).unwrap();
    let corpus = Corpus::read(&path, Split::NineToOne, 16, None).unwrap();
    let (sample, held_out) = corpus.validation().split_at(TOKENS);
    assert!(held_out.len() >= TOKENS);
    let recipes = [
        ("soft, skip", soft()),
        ("hard, skip", hard(PolicyName::Skip, None)),
        ("hard, halt", hard(PolicyName::Halt, Some(1))),
        ("joint, halt", joint()),
        ("joint, exit", with_exit_blocks()),
    ];
    for (name, recipe) in recipes {
        let folder = root.path().join(name);
        run(&recipe, &corpus, &folder, false, None).unwrap();
        let folder = Folder::load(&folder).unwrap();
        for target in [0.1, 0.2, 0.3] {
            let (fitted, saved) = fitted(&folder, target, sample, held_out);
            assert!((saved - target).abs() < 0.01, "{name}: {target} is {fitted} of the sample and {saved} of held-out text");
        }
    }
}

#[test]
fn of_a_text_that_changes_pieces_from_everywhere_save_what_all_of_it_does() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("corpus.txt");
    // The part for validation changes as much as the whole: the training part is a text of its own.
    let validation = text(8 * TOKENS, true);
    std::fs::write(&path, [text(9 * validation.len(), false), validation].concat()).unwrap();
    let corpus = Corpus::read(&path, Split::NineToOne, 16, None).unwrap();
    let text = corpus.validation();
    let folder = root.path().join("joint");
    run(&joint(), &corpus, &folder, false, None).unwrap();
    let folder = Folder::load(&folder).unwrap();
    let spread = sample(text, TOKENS, 16);
    assert_eq!(spread.len(), TOKENS);
    let mut off_by_start = 0f64;
    for target in [0.1, 0.2, 0.3] {
        let ((_, of_spread), (_, of_start)) =
            (fitted(&folder, target, &spread, text), fitted(&folder, target, &text[..TOKENS], text));
        assert!((of_spread - target).abs() < 0.01, "{target}: {of_spread}");
        off_by_start = off_by_start.max((of_start - target).abs());
    }
    assert!(off_by_start > 0.01, "the start of the text would do as well: {off_by_start}");
}
