//! The subcommands, one file each.

pub mod bench;
pub mod compare;
pub mod cost;
pub mod exec;
pub mod gdb;
pub mod guest;
pub mod output;
pub mod profile;
pub mod prompt;
pub mod report;
pub mod run;
pub mod target;
