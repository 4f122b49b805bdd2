//! Contents page of the integration tests.
//!
//! * [`parity`]: the float model, f16 and int8 agree on a tiny checkpoint per variant; int8 stays what it was;
//! * [`session`]: stepping, prefill in tiles of any length and the parallel forward agree bit for bit;
//! * [`on_target`]: the image on our machine, under QEMU, and the host's runtime give the same text and depths;
//! * [`bench`]: kernels and parts of tokens stay within their budgets on every core;
//! * [`cost`]: cycles of any evaluation follow from its depths, and a controller keeps them at a budget;
//! * [`differential`]: single instructions on random operands, our machine against QEMU;
//! * [`documents`]: paths, tests and figures in the documents are so;
//! * [`command_line`]: the programs as their users meet them: good runs, bad input, help, a killed training;
//! * [`gdb`]: a debugger that speaks the remote protocol to the simulator;
//! * [`exec`]: images of any origin on every core: hostile files, hostile guests, semihosting, interrupts, C programs;
//! * [`profile`]: where the cycles of the firmware and of other images go, with good, missing and damaged debug information;
//! * [`report_page`]: the page of `host-sim report`, as text and in headless Chromium;
//! * [`hostile`]: truncated, flipped and wrong blobs are refused or run, never panic.

mod bench;
mod command_line;
mod cost;
mod differential;
mod documents;
mod exec;
mod gdb;
mod hostile;
mod on_target;
mod parity;
mod profile;
mod report_page;
mod session;
