//! Single kernels on a modelled core: what they take, and how near they are to what the core could do.
//!
//! In the order of the data: a [`case`] is a kernel at a shape, for which [`operands`] makes numbers and the result that must come out;
//! [`kernel`] runs the bench image on them and counts; a [`row`] says what came of it.

pub mod case;
pub mod operands;

pub mod kernel;

pub mod row;
