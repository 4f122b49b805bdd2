//! Instructions under an emulator by others and under our machine: the same code from the same registers must leave the same registers.
//!
//! [`data`], [`dsp`], [`memory`], [`multiple`], [`floating`], [`flow`] and [`limits`] list the instructions, [`missing`] those that no
//! core has; [`row`] and [`pattern`] say what a row of these tables means. A [`board`] is a core with its place in QEMU. [`state`] holds
//! operands from [`random`]; [`snippet`] wraps an instruction, [`harness`] is the code around all snippets and [`image`] puts everything
//! into an executable. [`oracle`] runs it under QEMU, and [`report`] words a difference.

pub mod data;
pub mod dsp;
pub mod floating;
pub mod flow;
pub mod limits;
pub mod memory;
pub mod missing;
pub mod multiple;

pub mod board;

pub mod pattern;
pub mod row;

pub mod random;
pub mod state;

pub mod harness;
pub mod image;
pub mod snippet;

pub mod oracle;
pub mod report;
