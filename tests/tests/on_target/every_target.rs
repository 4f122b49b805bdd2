//! What holds for the images of every target: answers and kernels equal to the host's, size.

use super::{headers, refusal, request};
use fathom::Plan;
use fathom::format::record::{self, Record, Request};
use fathom::format::{Element, Shape};
use fathom_host_sim::board::{Board, End, Event};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::Architecture;
use fathom_tests::answers::{on_host, on_machine, under_qemu};
use fathom_tests::models::random_blob;
use fathom_tests::qemu;
use fathom_tests::targets::TARGETS;
use std::path::Path;
use std::time::Duration;

#[test]
fn every_target_answers_as_the_host_does_on_our_machine_and_under_qemu() {
    let (mut compared, all) = (0, headers());
    for header in &all {
        let model = random_blob(header, 22);
        let shape = Shape::new(header).unwrap();
        let arena = Plan::new(&shape, 8).unwrap().bytes();
        let request = Request { tokens: 9, ..request(b"abcabk") };
        let host = on_host(model.bytes(), &request);
        for target in TARGETS {
            let answer = on_machine(target.core, &target.image(), model.bytes(), &request);
            assert_eq!(answer, host, "{target:?} with {header:?}");
            if model.bytes().len() <= target.qemu.flash && arena <= target.qemu.ram {
                let answer = under_qemu(target.qemu, &target.image(), model.bytes(), &request);
                assert_eq!(answer, host, "{target:?} with {header:?}");
                compared += 1;
            }
        }
    }
    let all = all.len() * TARGETS.len();
    assert_eq!(compared, all - 4, "only the largest models are too large, and for the two smallest boards");
}

#[test]
fn every_target_counts_the_cycles_that_its_core_takes() {
    // Armv6-M counts them with a timer of 24 bits: this takes more than that.
    let header = headers().swap_remove(3);
    let model = random_blob(&header, 22);
    for target in TARGETS {
        let image = Image::read(&target.image()).unwrap();
        let mut board = Board::with_core(target.core, &image, model.bytes()).unwrap();
        let mut records = Vec::new();
        let input = qemu::frame(&Request { tokens: 9, ..request(b"abcabk") });
        let end = board.run(&image, &input, 5_000_000_000, &mut |event| {
            if let Event::Channel(1, bytes) = event {
                records.extend_from_slice(bytes);
            }
        });
        assert!(matches!(end, Ok(End::Exit(0))), "{target:?}: {end:?}");
        let mut counted = 0;
        for frame in records.split_inclusive_mut(|byte| *byte == 0) {
            counted += match record::decode(frame) {
                Some(
                    Record::Ready { boot_cycles: cycles, .. } | Record::Prefilled { cycles, .. } | Record::Token { cycles, .. },
                ) => cycles,
                _ => 0,
            };
        }
        let modelled = board.machine.cycles();
        assert!(target.core.architecture > Architecture::V6M || modelled > 2 << 24, "{target:?}: {modelled} cycles");
        // The rest is start-up, the end, and the sending of records.
        assert!((modelled / 100 * 97..modelled).contains(&counted), "{target:?}: {counted} of {modelled} cycles");
    }
}

#[test]
fn kernels_of_every_target_agree_with_their_portable_twins_and_across_targets() {
    let mut said = Vec::new();
    for target in TARGETS {
        let image = target.image().with_file_name("kernel-twins");
        let outcome = qemu::run(target.qemu, &image, None, &[], Duration::from_secs(120)).expect("qemu-system-arm runs");
        assert_eq!(outcome.code, Some(0), "{target:?}");
        said.push(outcome.console());

        let image = Image::read(&image).unwrap();
        let mut console = Vec::new();
        let end = Board::with_core(target.core, &image, &[]).unwrap().run(&image, &[], 5_000_000_000, &mut |event| {
            if let Event::Console(bytes) = event {
                console.extend_from_slice(bytes);
            }
        });
        assert!(matches!(end, Ok(End::Exit(0))), "{target:?}: {end:?}");
        said.push(String::from_utf8(console).unwrap());
    }
    assert!(said[0].starts_with("kernel twins: ") && said[0].contains(" cases, 0 differences, digest "), "{said:?}");
    assert!(said.iter().all(|line| *line == said[0]), "{said:?}");
}

/// Code of the runtime in an image, in bytes: without what speaks with a host, which an application leaves out.
fn runtime_bytes(image: &Path) -> u32 {
    Image::read(image).unwrap().code_bytes(|name| name.contains("fathom::") && !name.contains("fathom::format::record::"))
}

#[test]
fn the_runtime_stays_within_48_kibibytes_of_the_image() {
    for target in TARGETS {
        let runtime = runtime_bytes(&target.image());
        println!("{}: runtime with every element type and variant: {runtime} bytes of code", target.triple);
        assert!((20_000..=48 * 1024).contains(&runtime), "{}: {runtime} bytes", target.triple);
    }
}

#[test]
fn the_runtime_for_int8_models_stays_within_24_kibibytes_of_its_image() {
    for target in TARGETS {
        let runtime = runtime_bytes(&target.int8_image());
        println!("{}: runtime for int8 models: {runtime} bytes of code", target.triple);
        assert!((16_000..=24 * 1024).contains(&runtime), "{}: {runtime} bytes", target.triple);
    }
}

#[test]
fn the_image_for_int8_models_answers_as_the_host_does_and_refuses_others_by_name() {
    let request = Request { tokens: 9, ..request(b"abcabk") };
    for header in headers() {
        let model = random_blob(&header, 22);
        for target in TARGETS {
            let missing = match header.element {
                Element::Int8 => {
                    let answer = on_machine(target.core, &target.int8_image(), model.bytes(), &request);
                    assert_eq!(answer, on_host(model.bytes(), &request), "{target:?} with {header:?}");
                    continue;
                }
                Element::F16 => "feature `f16`",
                Element::Int4 { .. } => "feature `int4`",
            };
            let said = refusal(target.core, &target.int8_image(), model.bytes(), &qemu::frame(&request));
            assert!(said.contains(missing), "{target:?}: {said}");
        }
    }
}
