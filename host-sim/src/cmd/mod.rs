//! The subcommands, one file each.

pub mod run;
pub mod target;
