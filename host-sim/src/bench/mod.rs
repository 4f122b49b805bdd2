//! Kernels and parts of tokens on a modelled core: what they take, and how near that is to what the core could do.
//!
//! In the order of the data: a [`case`] is a kernel at a shape, and a [`table`] has those that a core is judged by; [`operands`] makes
//! numbers and the result that must come out, [`kernel`] runs the bench image on them and counts, [`model`] does the same with the firmware
//! and a model; [`row`] says what came of it, and a [`budget`] what is allowed. [`peers`] does the same work with other
//! libraries, and [`host`] with the portable kernel on the host.

pub mod case;
pub mod table;

pub mod operands;

pub mod kernel;
pub mod model;

pub mod row;

pub mod host;
pub mod peers;

pub mod budget;

use crate::cmd::target::Target;
use crate::image::Image;
use anyhow::{Context, Result};
use case::Case;
use kernel::Counts;
use model::Model;
use row::Row;

/// What runs the cases of one core.
pub struct Bench<'a> {
    /// What is modelled.
    pub target: &'a Target,
    /// The bench image.
    pub kernels: &'a Image,
    /// The firmware with a model, where there are cases that need it.
    pub model: Option<Model<'a>>,
    /// What an active block takes, once it is known.
    active: Option<Counts>,
}

impl<'a> Bench<'a> {
    /// With these images.
    pub fn new(target: &'a Target, kernels: &'a Image, model: Option<Model<'a>>) -> Self {
        Self { target, kernels, model, active: None }
    }

    /// Runs one case.
    ///
    /// # Errors
    /// A shape that no kernel takes, an image that does not answer, a wrong result.
    pub fn run(&mut self, case: &Case) -> Result<Row> {
        let core = self.target.core;
        let model = || self.model.as_ref().with_context(|| format!("{case} needs a model"));
        let row = match *case {
            Case::Kernel(work) => Row::of_kernel(work, kernel::run(self.kernels, self.target, work)?),
            Case::Token => {
                let model = model()?;
                Row::of_model(case, model.element()?, model.extents()?, model.token_macs()?, model.token()?)
            }
            Case::BlockInactive(inactive) => {
                let model = model()?;
                let active = match self.active {
                    Some(active) => active,
                    None => model.block_active()?,
                };
                let counts = model.block_inactive(inactive)?;
                let mut row = Row::of_model(case, model.element()?, model.extents()?, model.block_macs()?, counts);
                row.variant = Some(inactive.name());
                row.percent_of_active_block = Some(100.0 * counts.cycles as f64 / active.cycles.max(1) as f64);
                self.active = Some(active);
                row
            }
        };
        Ok(row.judged(table::goal(core, case), table::floor(core, case)))
    }
}
