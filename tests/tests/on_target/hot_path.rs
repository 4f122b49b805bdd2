//! What the linked image may call while a token passes the model: no panic, and on a core with an FPU no software arithmetic.

use fathom_host_sim::image::Image;
use fathom_tests::targets::{CORTEX_M4, TARGETS, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Where a token begins: everything that a session does is reached from its methods.
const ROOT: &str = "fathom::session::Session<";

/// Functions of an image and whom each calls or jumps to.
struct Calls<'i> {
    names: BTreeMap<u32, &'i str>,
    edges: BTreeMap<u32, BTreeSet<u32>>,
}

/// The target of `BL` or of a wide `B` at `address`, conditional or not (encodings T1 of BL, T3 and T4 of B).
fn branch_target(address: u32, first: u16, second: u16) -> Option<u32> {
    let (first, second) = (u32::from(first), u32::from(second));
    if first >> 11 != 0b11110 || second >> 15 != 1 {
        return None;
    }
    let (sign, j1, j2, low) = (first >> 10 & 1, second >> 13 & 1, second >> 11 & 1, (second & 0x7ff) << 1);
    let offset = if second >> 12 & 1 == 1 {
        let (i1, i2) = (!(j1 ^ sign) & 1, !(j2 ^ sign) & 1);
        (sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | low) << 7
    } else if second >> 14 & 1 == 0 && first >> 7 & 7 != 7 {
        (sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12 | low) << 11
    } else {
        return None;
    };
    let shift = if second >> 12 & 1 == 1 { 7 } else { 11 };
    Some(address.wrapping_add(4).wrapping_add(((offset as i32) >> shift) as u32))
}

impl<'i> Calls<'i> {
    /// Every halfword is read as the start of a branch. What is none, a constant or half of an instruction, would have to hit the first
    /// byte of a function to be mistaken for a call.
    fn new(image: &'i Image) -> Self {
        let names: BTreeMap<u32, &str> = image.functions().map(|(start, _, name)| (start, name)).collect();
        let halfword = |address: u32| image.word(address & !3).map(|word| (word >> (8 * (address & 2))) as u16);
        let mut edges: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (start, bytes, _) in image.functions() {
            let callees = edges.entry(start).or_default();
            for address in (start..start + bytes).step_by(2) {
                if let (Some(first), Some(second)) = (halfword(address), halfword(address + 2))
                    && let Some(target) = branch_target(address, first, second)
                    && target != start
                    && names.contains_key(&target)
                {
                    callees.insert(target);
                }
            }
        }
        Self { names, edges }
    }

    /// Every call from a function that one whose name begins with `root` reaches, as `caller -> callee`; functions for which `ends` holds are not entered.
    fn from(&self, root: &str, ends: impl Fn(&str) -> bool) -> BTreeSet<(&'i str, &'i str)> {
        let mut waiting: Vec<u32> =
            self.names.iter().filter(|(_, name)| name.starts_with(root)).map(|(start, _)| *start).collect();
        assert!(!waiting.is_empty(), "no function of the image begins with {root}: was it inlined or renamed?");
        let (mut seen, mut calls) = (BTreeSet::new(), BTreeSet::new());
        while let Some(caller) = waiting.pop() {
            if !seen.insert(caller) {
                continue;
            }
            for callee in &self.edges[&caller] {
                calls.insert((self.names[&caller], self.names[callee]));
                if !ends(self.names[callee]) {
                    waiting.push(*callee);
                }
            }
        }
        calls
    }
}

fn panics(name: &str) -> bool {
    name.starts_with("core::panicking::")
        || name.ends_with("_fail")
        || name.ends_with("unwrap_failed")
        || name.ends_with("expect_failed")
}

/// Arm's run-time ABI names software arithmetic: `__aeabi_fadd`, `__aeabi_d2f`, `__aeabi_uldivmod`, ...
fn is_software_arithmetic(name: &str) -> bool {
    ["__aeabi_f", "__aeabi_d", "__aeabi_i2", "__aeabi_ui2", "__aeabi_l2", "__aeabi_ul2", "__aeabi_ldivmod", "__aeabi_uldivmod"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || name.starts_with("compiler_builtins::") && !name.starts_with("compiler_builtins::mem::")
}

fn is_double_precision(name: &str) -> bool {
    name.starts_with("__aeabi_d") || name.starts_with("__aeabi_cd") || name.ends_with("2d") || name.contains("ldivmod")
}

fn offences(target: &Target, offends: impl Fn(&str) -> bool) -> Vec<String> {
    let image = Image::read(&target.image()).unwrap();
    let calls = Calls::new(&image).from(ROOT, |name| panics(name) || is_software_arithmetic(name));
    assert!(calls.iter().any(|(_, callee)| callee.starts_with("fathom::")), "the walk finds the runtime's own functions");
    calls.into_iter().filter(|(_, callee)| offends(callee)).map(|(caller, callee)| format!("{caller} -> {callee}")).collect()
}

#[test]
fn no_token_reaches_a_panic_on_any_target() {
    for target in TARGETS {
        assert_eq!(offences(&target, panics), [""; 0], "{}", target.triple);
    }
}

#[test]
fn no_token_on_a_core_with_an_fpu_reaches_software_arithmetic() {
    for target in TARGETS.iter().filter(|target| target.triple.ends_with("hf")) {
        assert_eq!(offences(target, is_software_arithmetic), [""; 0], "{}", target.triple);
    }
}

#[test]
fn no_token_reaches_double_precision_or_a_wide_division_on_any_target() {
    for target in TARGETS {
        assert_eq!(offences(&target, is_double_precision), [""; 0], "{}", target.triple);
    }
}

#[test]
fn the_walk_reads_branches_as_the_assembler_writes_them() {
    // GNU as at 0x100: bl .+0x1234, b.w .-0x1234, bne.w .+0x2000, beq.w .-0x400.
    assert_eq!(branch_target(0x100, 0xf001, 0xf918), Some(0x1334));
    assert_eq!(branch_target(0x104, 0xf7fe, 0xbee4), Some(0xffff_eed0));
    assert_eq!(branch_target(0x108, 0xf041, 0x87fe), Some(0x2108));
    assert_eq!(branch_target(0x10c, 0xf43f, 0xadfe), Some(0xffff_fd0c));
    assert_eq!(branch_target(0x100, 0xbf00, 0xf918), None);
    let image = Image::read(&CORTEX_M4.image()).unwrap();
    let calls = Calls::new(&image);
    let main =
        calls.names.iter().find(|(_, name)| name.ends_with("fathom_firmware::image::main")).expect("the image has a main").0;
    assert!(calls.edges[main].len() > 3, "main calls others");
}
