//! Helpers shared by the integration tests.
#![forbid(unsafe_code)]

pub mod models;
pub mod qemu;
