//! `host-sim bench`: single kernels on the modelled core, cycle by cycle.

use crate::bench::case::{Case, element};
use crate::bench::kernel;
use crate::bench::row::{Report, Row, SCHEMA};
use crate::cmd::output::{check_writable, write_json};
use crate::cmd::target::TargetOptions;
use crate::firmware;
use crate::image::Image;
use anyhow::{Result, bail};
use clap::Parser;
use fathom::format::Element;
use fathom::format::bench::Work;
use std::io::{Write, stdout};
use std::path::PathBuf;

/// Where these options stand in a help.
const CASE: &str = "One kernel instead of the table";

/// Run single kernels on a modelled Cortex-M and count their cycles
#[derive(Parser, Debug)]
#[command(after_help = "\
Without a kernel, the whole table of the core. Results are compared bit for bit with the host's: a wrong kernel gives no figures.

Examples:
  host-sim bench
  host-sim bench --core cortex-m7 --json bench.json
  host-sim bench --kernel gemv --dtype int8 --rows 688 --cols 256
  host-sim bench --core cortex-m33 --memory rp2350 --kernel gemm --rows 256 --cols 256 --tokens 8")]
pub struct Cmd {
    /// gemv or gemm
    #[arg(long, value_name = "NAME", value_parser = ["gemv", "gemm"], help_heading = CASE)]
    kernel: Option<String>,
    /// Type of the weights: int8, int4 or f16
    #[arg(long, value_name = "NAME", value_parser = ["int8", "int4", "f16"], default_value = "int8", help_heading = CASE)]
    dtype: String,
    /// Rows of the matrix: outputs
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = CASE)]
    rows: u16,
    /// Columns of the matrix: inputs, a multiple of 4
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = CASE)]
    cols: u16,
    /// Tokens that are multiplied at once [default: 1 for gemv, 8 for gemm]
    #[arg(long, value_name = "N", help_heading = CASE)]
    tokens: Option<u16>,
    /// Write the rows as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The bench image [default: built for the core by firmware/build-image]
    #[arg(long, value_name = "ELF")]
    image: Option<PathBuf>,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Shapes that no kernel takes, images that do not answer, wrong results.
    pub fn run(self) -> Result<u8> {
        if let Some(path) = &self.json {
            check_writable(path)?;
        }
        let cases = match &self.kernel {
            Some(kernel) => vec![self.case(kernel)?],
            None => table(),
        };
        let path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build_for(&firmware::workspace()?, self.target.named()?.0)?.with_file_name("bench"),
        };
        let image = Image::read(&path)?;
        let (target, _) = self.target.resolve(&image)?;
        let mut rows = Vec::new();
        for case in &cases {
            rows.push(Row::new(case, kernel::run(&image, &target, case)?));
        }
        let report = Report {
            schema: SCHEMA,
            core: target.core.name,
            memory_profile: target.memory.name.clone(),
            cost_table: target.core.table.version,
            rows,
        };
        write!(stdout(), "{}", report.table())?;
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        Ok(0)
    }

    /// The case that the options name.
    fn case(&self, kernel: &str) -> Result<Case> {
        let tokens = match (kernel, self.tokens) {
            ("gemv", None | Some(1)) => 1,
            ("gemv", Some(tokens)) => bail!("gemv is for one token, not {tokens}: choose --kernel gemm"),
            (_, tokens) => tokens.unwrap_or(8),
        };
        let Some(element) = element(&self.dtype) else { bail!("there is no dtype {}", self.dtype) };
        let case = Case::product(element, self.rows, self.cols, tokens);
        if case.work.operands().is_none() {
            let Work::Product { .. } = case.work;
            bail!("no kernel takes {case}: rows, columns and tokens are from 1 to 8192, and columns a multiple of 4");
        }
        Ok(case)
    }
}

/// The cases of the table.
fn table() -> Vec<Case> {
    use Element::{F16, Int8};
    vec![
        Case::product(Int8, 256, 256, 1),
        Case::product(Int8, 688, 256, 1),
        Case::product(Int8, 64, 64, 1),
        Case::product(Int8, 128, 128, 1),
        Case::product(Int8, 256, 256, 8),
        Case::product(F16, 256, 256, 1),
    ]
}
