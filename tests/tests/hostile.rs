//! Whatever the bytes, `Blob::parse` refuses them or the model runs: never a panic.

use fathom::format::prelude::{PRELUDE_BYTES, Prelude, VERSION, checksum};
use fathom::format::{BlockMatrix, Cache, DepthSet, Element, Header, MatrixSet, Mlp, Norm, Policy, Position, ShapeError};
use fathom::{Blob, BlobError, NoProbe, Plan, PlanError, Session, StepError};
use fathom_tests::models::{Aligned, exits, header, point, random_blob, routed, tokens};

/// Makes the checksum right again.
fn reseal(bytes: &mut [u8]) {
    let start: &[u8; PRELUDE_BYTES] = bytes[..PRELUDE_BYTES].try_into().unwrap();
    if let Some(mut prelude) = Prelude::read(start) {
        let end = (prelude.total_bytes as usize).clamp(PRELUDE_BYTES, bytes.len());
        prelude.crc = checksum(&bytes[PRELUDE_BYTES..end]);
        bytes[..PRELUDE_BYTES].copy_from_slice(&prelude.write());
    }
}

/// Parses, and runs a few tokens if that succeeds.
fn try_run(bytes: &[u8]) -> Result<(), BlobError> {
    let blob = Blob::parse(bytes)?;
    let plan = Plan::new(blob.shape(), 3.min(blob.shape().context)).unwrap();
    // A flipped size can ask for far more memory than a test should take; the plan says so before anything is allocated.
    if plan.bytes() < 1 << 24 {
        let mut arena = vec![0; plan.bytes() / 4];
        let mut session = Session::new(&blob, &mut arena, &plan, NoProbe).unwrap();
        let tokens = tokens(blob.header(), 3, 4.min(blob.shape().context));
        session.prefill(&tokens).unwrap();
    }
    Ok(())
}

fn small(element: Element) -> Header {
    let mut header = routed(Policy::Skip, Cache::Omit { kept: 1 }, element);
    header.geometry = fathom::format::Geometry {
        blocks: 2,
        width: 8,
        heads: 2,
        kv_heads: 1,
        mlp_width: 8,
        context: 6,
        vocabulary: 5,
        router_width: 3,
    };
    header.tokenizer = fathom::format::Tokenizer::Bytes { alphabet: (b'a'..b'f').collect() };
    header.operating_points = [point(1, 0.0)].into_iter().collect();
    header.default_point = 0;
    header
}

/// Three blocks and an exit block.
fn with_exit_block() -> Header {
    let mut header = small(Element::Int8);
    header.geometry.blocks = 3;
    header.routing.policy = exits(&[2]);
    header.routing.cache = Cache::Ahead { blocks: 2 };
    header
}

#[test]
fn rejects_every_truncation() {
    let blob = random_blob(&small(Element::Int8), 1);
    let bytes = blob.bytes();
    for length in 0..bytes.len() {
        let cut = Aligned::copy(&bytes[..length]);
        let wanted = if length < PRELUDE_BYTES { PRELUDE_BYTES } else { bytes.len() };
        assert_eq!(try_run(cut.bytes()), Err(BlobError::Truncated { wanted, found: length }));
    }
}

#[test]
fn rejects_every_single_bit_flip() {
    let blob = random_blob(&small(Element::Int8), 1);
    for index in 0..blob.bytes().len() {
        for bit in 0..8 {
            let mut flipped = blob.clone();
            flipped.bytes_mut()[index] ^= 1 << bit;
            assert!(try_run(flipped.bytes()).is_err(), "byte {index} bit {bit}");
        }
    }
}

#[test]
fn every_flipped_byte_under_a_valid_checksum_is_refused_or_runs() {
    let elements = [Element::Int8, Element::F16, Element::INT4, Element::Int4 { int8: MatrixSet::NONE.with(BlockMatrix::Down) }];
    for header in elements.map(small).into_iter().chain([with_exit_block()]) {
        let blob = random_blob(&header, 1);
        for index in 0..blob.bytes().len() {
            for change in [0x01, 0x80, 0xff, 0x7f] {
                let mut flipped = blob.clone();
                flipped.bytes_mut()[index] ^= change;
                reseal(flipped.bytes_mut());
                let _ = try_run(flipped.bytes()); // an error or a run; the test is that it returns
            }
        }
    }
}

#[test]
fn rejects_misaligned_bytes() {
    let blob = random_blob(&small(Element::Int8), 1);
    let mut shifted = Aligned::zeros(blob.bytes().len() + 4);
    shifted.bytes_mut()[4..].copy_from_slice(blob.bytes());
    assert_eq!(Blob::parse(&shifted.bytes()[4..]).err(), Some(BlobError::Misaligned { by: 4 }));
}

#[test]
fn rejects_an_erased_region_and_other_files() {
    assert_eq!(Blob::parse(Aligned::copy(&[0xff; 64]).bytes()).err(), Some(BlobError::Magic { found: [0xff; 4] }));
    assert_eq!(Blob::parse(Aligned::zeros(64).bytes()).err(), Some(BlobError::Magic { found: [0; 4] }));
}

#[test]
fn rejects_an_older_and_a_future_version() {
    for found in [VERSION - 1, VERSION + 1] {
        let mut blob = random_blob(&small(Element::Int8), 1);
        blob.bytes_mut()[4..6].copy_from_slice(&found.to_le_bytes());
        assert_eq!(try_run(blob.bytes()), Err(BlobError::Version { wanted: VERSION, found }));
    }
}

#[test]
fn rejects_a_wrong_checksum() {
    let mut blob = random_blob(&small(Element::Int8), 1);
    *blob.bytes_mut().last_mut().unwrap() ^= 1;
    assert!(matches!(try_run(blob.bytes()), Err(BlobError::Checksum { .. })));
}

#[test]
fn rejects_a_malformed_or_long_header() {
    let mut blob = random_blob(&small(Element::Int8), 1);
    let start = PRELUDE_BYTES;
    blob.bytes_mut()[start..start + 16].fill(0xff);
    reseal(blob.bytes_mut());
    assert_eq!(try_run(blob.bytes()), Err(BlobError::Header));
    let mut blob = random_blob(&small(Element::Int8), 1);
    let claimed = u16::from_le_bytes([blob.bytes()[6], blob.bytes()[7]]);
    blob.bytes_mut()[6..8].copy_from_slice(&(claimed + 1).to_le_bytes());
    reseal(blob.bytes_mut());
    let claimed = usize::from(claimed);
    assert_eq!(try_run(blob.bytes()), Err(BlobError::HeaderLength { wanted: claimed + 1, found: claimed }));
}

/// Writes `header` into a blob with a valid prelude, without asking whether it is valid.
fn with_header(header: &Header) -> Aligned {
    let mut buffer = [0; 4096];
    let encoded = postcard::to_slice(header, &mut buffer).unwrap();
    let mut blob = Aligned::zeros(1 << 16);
    let total_bytes = blob.bytes().len() as u32;
    blob.bytes_mut()[PRELUDE_BYTES..][..encoded.len()].copy_from_slice(encoded);
    let prelude = Prelude { version: VERSION, header_bytes: encoded.len() as u16, total_bytes, crc: 0 };
    blob.bytes_mut()[..PRELUDE_BYTES].copy_from_slice(&prelude.write());
    reseal(blob.bytes_mut());
    blob
}

fn refusal(change: impl FnOnce(&mut Header)) -> BlobError {
    let mut header = header();
    change(&mut header);
    try_run(with_header(&header).bytes()).unwrap_err()
}

#[test]
fn rejects_every_broken_shape_rule() {
    let range = |field, least, most, found| BlobError::Shape(ShapeError::Range { field, least, most, found });
    let multiple = |field, of, found| BlobError::Shape(ShapeError::Multiple { field, of, found });
    assert_eq!(refusal(|h| h.geometry.blocks = 0), range("blocks", 1, 24, 0));
    assert_eq!(refusal(|h| h.geometry.blocks = 25), range("blocks", 1, 24, 25));
    assert_eq!(refusal(|h| h.geometry.width = 2048), range("width", 4, 1024, 2048));
    assert_eq!(refusal(|h| h.geometry.width = 18), multiple("width", 4, 18));
    assert_eq!(refusal(|h| h.geometry.heads = 0), range("heads", 1, 256, 0));
    assert_eq!(refusal(|h| h.geometry.heads = 3), multiple("width", 3, 16));
    assert_eq!(refusal(|h| h.geometry.heads = 8), multiple("head_dim (width / heads)", 4, 2));
    assert_eq!(refusal(|h| h.geometry.kv_heads = 3), multiple("heads", 3, 4));
    assert_eq!(refusal(|h| h.geometry.kv_heads = 5), range("kv_heads", 1, 4, 5));
    assert_eq!(refusal(|h| h.geometry.mlp_width = 6), multiple("mlp_width", 4, 6));
    assert_eq!(refusal(|h| h.geometry.context = 0), range("context", 1, 4096, 0));
    assert_eq!(refusal(|h| h.geometry.vocabulary = 0), range("vocabulary", 1, 4096, 0));
    assert_eq!(refusal(|h| h.geometry.router_width = 0), range("router_width", 1, 256, 0));
    assert_eq!(refusal(|h| h.routing.policy = Policy::Dense), range("router_width of a dense model", 0, 0, 5));
    assert_eq!(refusal(|h| h.routing.cache = Cache::Omit { kept: 25 }), range("kept positions", 0, 24, 25));
    for blocks in [0, 5] {
        let makers = |blocks| range("blocks that make keys and values", 1, 4, blocks);
        assert_eq!(refusal(|h| h.routing.cache = Cache::Ahead { blocks }), makers(u32::from(blocks)));
    }
    let with = |depths: u32, change: fn(&mut Header)| {
        refusal(|h| {
            h.routing.policy = Policy::Exit { depths: DepthSet(depths) };
            h.routing.cache = Cache::Ahead { blocks: 2 };
            change(h);
        })
    };
    assert_eq!(with(0, |_| ()), range("exit depths of a model with exits", 1, 3, 0));
    assert_eq!(with(u32::MAX, |_| ()), range("exit depths of a model with exits", 1, 3, 32));
    for (depths, least) in [(0b10, 1), (0b1_0000, 4), (1 << 31, 31)] {
        assert_eq!(with(depths, |_| ()), range("least exit depth", 2, 3, least));
    }
    assert_eq!(with(1 << 31 | 0b100, |_| ()), range("largest exit depth", 2, 3, 31));
    assert_eq!(with(0b100, |h| h.routing.cache = Cache::Ahead { blocks: 3 }), range("least exit depth", 3, 3, 2));
    for blocks in [1, 4] {
        let makers = range("blocks that make keys and values of a model with exits", 2, 3, u32::from(blocks));
        assert_eq!(refusal(|h| (h.routing.policy, h.routing.cache) = (exits(&[3]), Cache::Ahead { blocks })), makers);
    }
    let ahead = range("keys and values made ahead (1) of a model with exits", 1, 1, 0);
    assert_eq!(with(0b100, |h| h.routing.cache = Cache::Project), ahead);
    assert_eq!(with(0b100, |h| h.routing.cache = Cache::Omit { kept: 2 }), ahead);
    // Depths 3 to 12 take 2 to 11 blocks behind a trunk of one.
    let many = range("blocks, exit blocks among them", 1, 48, 13 + 65);
    assert_eq!(with(0b1_1111_1111_1000, |h| h.geometry.blocks = 13), many);
    let scaled = range("soft scaling (1) of a model with exits", 0, 0, 1);
    assert_eq!(with(0b100, |h| h.routing.soft_scaling = true), scaled);
    for found in [31, 32, 255] {
        let refused = refusal(|h| h.element = Element::Int4 { int8: MatrixSet(found) });
        assert_eq!(refused, range("int8 matrices (bit set) of an int4 model", 0, 30, u32::from(found)));
    }
}

#[test]
fn rejects_a_length_that_is_not_the_geometrys() {
    assert!(matches!(refusal(|_| ()), BlobError::Length { found: 65_536, .. }));
}

/// A blob of the right length whose header breaks a rule that is not about the shape: patched after writing.
fn refusal_after(valid: &Header, change: impl FnOnce(&mut Header)) -> BlobError {
    let mut blob = random_blob(valid, 1);
    let mut header = valid.clone();
    change(&mut header);
    let claimed = usize::from(u16::from_le_bytes([blob.bytes()[6], blob.bytes()[7]]));
    let mut buffer = [0; 4096];
    let encoded = postcard::to_slice(&header, &mut buffer).unwrap();
    assert_eq!(encoded.len(), claimed, "the change must not change the length of the header");
    blob.bytes_mut()[PRELUDE_BYTES..][..claimed].copy_from_slice(encoded);
    reseal(blob.bytes_mut());
    try_run(blob.bytes()).unwrap_err()
}

#[test]
fn rejects_wrong_operating_points() {
    let valid = header();
    assert_eq!(refusal_after(&valid, |h| h.default_point = 3), BlobError::DefaultPoint { points: 3, found: 3 });
    assert_eq!(
        refusal_after(&valid, |h| h.operating_points[1].thresholds[2] = f32::NAN),
        BlobError::PointNotANumber { point: 1 }
    );
    assert_eq!(refusal_after(&valid, |h| h.operating_points[2].saved = f32::NAN), BlobError::PointNotANumber { point: 2 });
    let mut odd = header();
    odd.operating_points[1].thresholds.pop();
    assert_eq!(try_run(random_blob(&odd, 1).bytes()), Err(BlobError::Thresholds { point: 1, wanted: 3, found: 2 }));
    odd.operating_points.clear();
    assert_eq!(try_run(random_blob(&odd, 1).bytes()), Err(BlobError::NoOperatingPoint));
}

#[test]
fn rejects_a_wrong_alphabet() {
    let mut odd = header();
    odd.tokenizer = fathom::format::Tokenizer::Bytes { alphabet: (b'a'..b'k').collect() };
    assert_eq!(try_run(random_blob(&odd, 1).bytes()), Err(BlobError::Alphabet { wanted: 11, found: 10 }));
    odd.tokenizer = fathom::format::Tokenizer::Bytes { alphabet: b"abcdefghijj".iter().copied().collect() };
    assert_eq!(try_run(random_blob(&odd, 1).bytes()), Err(BlobError::AlphabetOrder { index: 10 }));
}

#[test]
fn rejects_values_that_are_not_finite_and_names_the_tensor() {
    for (element, learned) in [(Element::Int8, false), (Element::F16, true), (Element::INT4, true)] {
        let mut header = header();
        header.element = element;
        header.variants = fathom::format::Variants {
            norm: Norm::LayerNorm,
            position: if learned { Position::Learned } else { Position::Rotary },
            mlp: Mlp::Gelu,
            bias: true,
            tied_head: false,
        };
        let valid = random_blob(&header, 1);
        let layout = *Blob::parse(valid.bytes()).unwrap().layout();
        let mut checked = 0;
        layout.visit(&mut |tensor, block, span, is_f32| {
            let half = if tensor == "position" { learned } else { !is_f32 && element == Element::F16 };
            if !half && !is_f32 {
                return;
            }
            let mut blob = valid.clone();
            let last = span.bytes / if half { 2 } else { 4 } - 1;
            let infinity: &[u8] = if half { &[0x00, 0x7c] } else { &[0, 0, 0x80, 0x7f] };
            let end = span.offset + span.bytes;
            blob.bytes_mut()[end - infinity.len()..end].copy_from_slice(infinity);
            reseal(blob.bytes_mut());
            assert_eq!(try_run(blob.bytes()), Err(BlobError::NotFinite { tensor, block, index: last }));
            checked += 1;
        });
        assert!(checked > 40, "{checked}");
    }
}

#[test]
fn rejects_requests_that_the_session_cannot_serve_and_changes_nothing() {
    let header = header();
    let bytes = random_blob(&header, 1);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    assert_eq!(Plan::new(blob.shape(), 0), Err(PlanError::Tile { most: 24, found: 0 }));
    assert_eq!(Plan::new(blob.shape(), 25), Err(PlanError::Tile { most: 24, found: 25 }));
    let plan = Plan::new(blob.shape(), 4).unwrap();
    let mut short = vec![0; plan.bytes() / 4 - 1];
    let refused = Session::new(&blob, &mut short, &plan, NoProbe).err();
    assert_eq!(refused, Some(PlanError::Arena { wanted: plan.bytes(), found: plan.bytes() - 4 }));
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(&blob, &mut arena, &plan, NoProbe).unwrap();
    session.prefill(&[1; 20]).unwrap();
    assert_eq!(session.prefill(&[1; 5]), Err(StepError::ContextFull { context: 24, wanted: 25 }));
    assert_eq!(session.prefill(&[]), Err(StepError::Empty));
    assert_eq!(session.prefill(&[1, 11]), Err(StepError::Token { index: 1, vocabulary: 11, found: 11 }));
    assert_eq!(session.set_operating_point(3), Err(StepError::OperatingPoint { points: 3, found: 3 }));
    assert_eq!(session.position(), 20);
    session.prefill(&[1; 4]).unwrap();
    let other = random_blob(&routed(Policy::Skip, Cache::Project, Element::Int8), 1);
    let other = Blob::parse(other.bytes()).unwrap();
    assert_eq!(Session::new(&other, &mut arena, &plan, NoProbe).err(), Some(PlanError::Model));
}
