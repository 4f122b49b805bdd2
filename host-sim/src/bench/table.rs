//! The cases that a core is judged by, with what they must reach, and the floor of what the core could do.
//!
//! Floors count, for a long row, what no kernel of that packing can leave out: the load of each packed word and the instructions that
//! multiply its weights and take it apart. Loads of activations, loops, sums and requantisation are not in them. `BENCH.md` derives each.

use super::case::{Case, Inactive, dtype};
use crate::machine::cores::{Architecture, CoreSpec};
use fathom::format::Element;
use fathom::format::bench::Work;

/// What a case must reach, and what is aimed at: cycles per multiply-accumulate, or percent of an active block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// No more than this.
    pub must: f64,
    /// Better.
    pub aim: f64,
}

/// The cases of the table, in its order; the same for every core, so that cores can be compared.
pub fn cases(core: &CoreSpec) -> Vec<Case> {
    use Element::{F16, Int8};
    let mut cases = vec![
        Case::product(Int8, 256, 256, 1),
        Case::product(Int8, 688, 256, 1),
        Case::product(Int8, 64, 64, 1),
        Case::product(Int8, 128, 128, 1),
        Case::product(Int8, 256, 256, 8),
        Case::product(Element::INT4, 688, 256, 1),
        Case::attention(Int8, 4, 32, 128),
    ];
    // Without an FPU these take minutes of the simulation, and nobody runs them there.
    if core.float.is_some() {
        cases.push(Case::product(F16, 256, 256, 1));
        cases.extend([Case::Token, Case::BlockInactive(Inactive::HaltOmit), Case::BlockInactive(Inactive::SkipProject)]);
    }
    cases
}

/// The goal of a case on a core, if it has one.
pub fn goal(core: &CoreSpec, case: &Case) -> Option<Goal> {
    let (must, aim) = match (core.name, *case) {
        ("cortex-m4", Case::Kernel(Work::Product { element, rows, columns, tokens })) => {
            match (dtype(element), rows, columns, tokens) {
                ("int8", 256 | 688, 256, 1) => (1.35, 1.20),
                ("int8", 64, 64, 1) => (1.60, 1.40),
                ("int8", 128, 128, 1) => (1.45, 1.30),
                ("int8", 256, 256, 8) => (1.00, 0.85),
                ("int4", 688, 256, 1) => (1.35, 1.20),
                ("f16", 256, 256, 1) => (6.0, 4.5),
                _ => return None,
            }
        }
        ("cortex-m4", Case::Kernel(Work::Attention { element: Element::Int8, heads: 4, head_dim: 32, positions: 128, .. })) => {
            (2.2, 1.7)
        }
        ("cortex-m4", Case::Token) => (1.75, 1.45),
        ("cortex-m4", Case::BlockInactive(Inactive::HaltOmit)) => (2.5, 1.0),
        ("cortex-m4", Case::BlockInactive(Inactive::SkipProject)) => (20.0, 18.0),
        (name, Case::Kernel(Work::Product { element: Element::Int8, rows: 256, columns: 256, tokens: 1 })) => match name {
            "cortex-m33" => (1.35, 1.20),
            "cortex-m7" => (1.05, 0.80),
            "cortex-m3" => (4.2, 3.5),
            "cortex-m0plus" => (5.2, 4.5),
            _ => return None,
        },
        _ => return None,
    };
    Some(Goal { must, aim })
}

/// The floor of a case on a core, in cycles per multiply-accumulate; none where nobody derived one.
pub fn floor(core: &CoreSpec, case: &Case) -> Option<f64> {
    let dual_issue = core.name == "cortex-m7";
    match *case {
        Case::Kernel(Work::Product { element: Element::Int8, tokens, .. }) if core.dsp => Some(match (tokens, dual_issue) {
            (1, false) => 1.0, // 4 cycles (load, SMLAD, UXTB16, SMLAD) for 2 columns of 2 rows
            // The multiplications alone: one word serves many tokens, and a second slot takes the rest.
            _ => 2.0 / 4.0,
        }),
        Case::Kernel(Work::Product { element: Element::Int8, tokens, .. }) => Some(match (core.architecture, tokens) {
            // load; four times extract, multiply, add
            (Architecture::V6M, 1) => 13.0 / 4.0,
            (Architecture::V6M, _) => 8.0 / 4.0, // four times multiply, add
            // load; mask, multiply and add (2), add shifted; mask shifted, flip, multiply and add (2), add shifted
            (_, 1) => 10.0 / 4.0,
            _ => 6.0 / 4.0, // twice multiply and add (2), add shifted
        }),
        // Load, four SMLAD and three separations for 2 columns of 4 rows.
        Case::Kernel(Work::Product { element: Element::Int4 { .. }, tokens, .. }) if core.dsp => {
            Some(if tokens == 1 && !dual_issue { 1.0 } else { 4.0 / 8.0 })
        }
        // Load of two halves; of each: convert, multiply, add (a fused one would round once).
        Case::Kernel(Work::Product { element: Element::F16, .. }) if core.float.is_some() => {
            Some(if dual_issue { 6.0 / 2.0 } else { 7.0 / 2.0 })
        }
        // That of its two products.
        Case::Kernel(Work::Attention { element, .. }) if element == Element::Int8 => {
            floor(core, &Case::product(element, 256, 256, 1))
        }
        Case::Kernel(_) => None,
        // That of its matrices.
        Case::Token => floor(core, &Case::product(Element::Int8, 256, 256, 1)),
        Case::BlockInactive(_) => None,
    }
}
