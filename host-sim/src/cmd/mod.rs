//! The subcommands, one file each.

pub mod exec;
pub mod gdb;
pub mod output;
pub mod prompt;
pub mod run;
pub mod target;
