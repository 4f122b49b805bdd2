//! What the images are made of.
//!
//! In the order in which data meets them: [`board`] is what the chip gives, and [`cycle_counter`] its clock; [`link`] carries requests, records and logs;
//! [`answer`] turns a request into records, timed by [`meter`]; [`failure`] is every reason why there is none, and `fault` what
//! happens when the code itself is wrong; [`image`] is what the images of models do with all of it.
#![no_std]
#![deny(unsafe_code)] // Only `board` may, besides the one line that each attribute of cortex-m-rt and defmt forces.

extern crate alloc;

pub mod board;
pub mod cycle_counter;

pub mod link;
mod log;

pub mod answer;
pub mod meter;

pub mod failure;
mod fault;

pub mod image;
