//! Helpers shared by the integration tests.
#![forbid(unsafe_code)]

pub mod answers;
pub mod checkpoints;
pub mod chromium;
pub mod commands;
pub mod debugger;
pub mod differential;
pub mod guests;
pub mod models;
pub mod qemu;
pub mod targets;
