//! The `exporter` command.
fn main() {}
