//! A modelled Cortex-M that executes Fathom firmware images and counts their cycles.
//!
//! In the order of the data: an [`image`] and a model are placed by a [`memory_map`] on a [`board`], whose [`machine`] executes them;
//! [`rtt`] and [`semihosting`] carry bytes out; [`log`] and [`answer`] decode them; [`stream`] shows the text, [`profile`] where the
//! cycles went, [`report`] the figures; [`mod@bench`] runs single kernels, and [`cost`] says what tokens of each depth take.
#![forbid(unsafe_code)]

pub mod attributes;
pub mod firmware;
pub mod image;
pub mod machine;
pub mod memory_map;

pub mod rtt;
pub mod semihosting;

pub mod log;

pub mod board;
pub mod post_mortem;
pub mod trace;

pub mod gdb;

pub mod answer;
pub mod ask;

pub mod profile;

pub mod bench;
pub mod budget;
pub mod compare;
pub mod cost;
pub mod exec_report;
pub mod page;
pub mod report;
pub mod stream;

pub mod cmd;
