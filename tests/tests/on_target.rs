//! The firmware image gives the same text and depths on our machine, under QEMU and in the host's runtime; and refuses what it must.

mod every_target;
mod faults;
mod hot_path;

use fathom::format::prelude::VERSION;
use fathom::format::record::{Effort, Request};
use fathom::format::{BlockMatrix, Cache, Element, Header, MatrixSet, Mlp, Norm, Policy, Position};
use fathom_host_sim::answer::Collector;
use fathom_host_sim::board::{Board, BoardError, End, Event, model_region};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::CoreSpec;
use fathom_host_sim::memory_map::FLASH;
use fathom_tests::answers::{on_host, on_machine, under_qemu};
use fathom_tests::models::{exits, header, random_blob, routed};
use fathom_tests::qemu;
use fathom_tests::targets::CORTEX_M4;
use std::path::Path;

fn request(prompt: &[u8]) -> Request<'_> {
    Request { prompt, tokens: 100, seed: 3, temperature: 1.0, top_k: 5, effort: Effort::Default }
}

fn assert_agreement(image: &Path, model: &[u8], request: &Request<'_>) {
    let host = on_host(model, request);
    assert!(!host.tokens.is_empty());
    assert_eq!(on_machine(CORTEX_M4.core, image, model, request), host, "our machine against the host");
    assert_eq!(under_qemu(CORTEX_M4.qemu, image, model, request), host, "QEMU against the host");
}

/// Headers that between them have every variant, policy, cache and element type.
fn headers() -> Vec<Header> {
    let mut plain = routed(Policy::Skip, Cache::Project, Element::F16);
    plain.variants.norm = Norm::LayerNorm;
    plain.variants.position = Position::Learned;
    plain.variants.mlp = Mlp::Gelu;
    plain.variants.bias = true;
    let mut soft = routed(Policy::Halt, Cache::Omit { kept: 2 }, Element::Int8);
    soft.variants.mlp = Mlp::SquaredRelu;
    soft.variants.tied_head = false;
    soft.routing.soft_scaling = true;
    let mut large = header();
    large.geometry.width = 48;
    large.geometry.heads = 4;
    large.geometry.mlp_width = 516; // longer than one exact piece of the packing
    let mut int4 = routed(Policy::Halt, Cache::Project, Element::INT4);
    int4.geometry.mlp_width = 36; // groups of one quad and of two
    let mut mixed = large.clone();
    mixed.element = Element::Int4 { int8: MatrixSet::NONE.with(BlockMatrix::Query).with(BlockMatrix::Up) };
    let ahead = routed(Policy::Halt, Cache::Ahead { blocks: 2 }, Element::Int8);
    let leaves = routed(exits(&[2, 3]), Cache::Ahead { blocks: 2 }, Element::Int8);
    vec![header(), plain, soft, large, routed(Policy::Dense, Cache::Project, Element::Int8), int4, mixed, ahead, leaves]
}

#[test]
fn image_host_and_qemu_give_the_same_text_and_depths() {
    let image = CORTEX_M4.image();
    for header in headers() {
        let model = random_blob(&header, 21);
        assert_agreement(&image, model.bytes(), &request(b"abcabcaadk"));
    }
}

#[test]
fn the_default_model_gives_the_same_text_and_depths_everywhere() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/models/default.fathom");
    let bytes = std::fs::read(path).expect("the default model is committed");
    let model = fathom_tests::models::Aligned::copy(&bytes);
    let image = CORTEX_M4.image();
    for (effort, temperature) in [(Effort::Default, 0.8), (Effort::Point(0), 0.0)] {
        let request = Request { prompt: b"ROMEO:\n", tokens: 24, seed: 1, temperature, top_k: 0, effort };
        assert_agreement(&image, model.bytes(), &request);
    }
}

/// The guest's refusal of a request, from our machine; it must exit with 1.
fn refusal(core: &'static CoreSpec, image: &Path, model: &[u8], input: &[u8]) -> String {
    let image = Image::read(image).unwrap();
    let mut board = Board::with_core(core, &image, model).unwrap();
    let mut collector = Collector::default();
    let end = board.run(&image, input, 5_000_000_000, &mut |event| {
        if let Event::Channel(1, bytes) = event {
            collector.receive(bytes, |_, _| ()).unwrap();
        }
    });
    assert!(matches!(end, Ok(End::Exit(1))), "{end:?}");
    collector.answer.failed.expect("a refusal has a message")
}

#[test]
fn the_image_refuses_bad_requests_and_models_in_one_line() {
    let image = CORTEX_M4.image();
    let model = random_blob(&header(), 21);
    let frame = |request: Request<'_>| qemu::frame(&request);
    let long = [b'a'; 25];
    let cases: [(Vec<u8>, &str); 5] = [
        (frame(request(b"abz")), "byte 2 of the prompt, 'z', is outside the model's alphabet"),
        (frame(request(&long)), "the prompt has 25 bytes, the model takes 24: shorten it"),
        (frame(request(b"")), "the prompt is empty: give at least one character"),
        (
            frame(Request { effort: Effort::Point(3), ..request(b"a") }),
            "effort 3 does not exist: the model has operating points 0 to 2",
        ),
        (vec![7, 7, 7, 0], "the request is malformed: host and firmware must be of the same version"),
    ];
    for (input, message) in cases {
        assert_eq!(refusal(CORTEX_M4.core, &image, model.bytes(), &input), message);
    }
    let mut corrupt = model.clone();
    corrupt.bytes_mut()[200] ^= 1;
    assert!(refusal(CORTEX_M4.core, &image, corrupt.bytes(), &[]).starts_with("the model is corrupt: checksum"));
    let mut newer = model.clone();
    newer.bytes_mut()[4] = 9;
    assert!(
        refusal(CORTEX_M4.core, &image, newer.bytes(), &[])
            .contains(&format!("format version 9, this runtime reads version {VERSION}"))
    );
    assert!(refusal(CORTEX_M4.core, &image, &[], &[]).starts_with("not a Fathom model"));
}

#[test]
fn the_board_refuses_a_model_larger_than_its_region() {
    let image = Image::read(&CORTEX_M4.image()).unwrap();
    let region = model_region(&image).unwrap();
    assert!(region.start > 0 && region.end == FLASH.end);
    let found = region.len() + 1;
    let refused = Board::new(&image, &vec![0; found]).err();
    assert_eq!(refused, Some(BoardError::ModelTooLarge { region: region.len(), found }));
}
