//! `host-sim bench`: kernels on the modelled core, cycle by cycle.

use crate::bench::budget::Budget;
use crate::bench::case::{Case, Inactive, element};
use crate::bench::model::Model;
use crate::bench::row::{Report, Row, SCHEMA};
use crate::bench::{Bench, host, peers, table};
use crate::cmd::output::{check_writable, tables, verdict, write_json};
use crate::cmd::target::TargetOptions;
use crate::firmware;
use crate::image::Image;
use anyhow::{Context, Result, bail};
use clap::Parser;
use fathom::format::bench::{MAX_EXTENT, Work};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Exit code when a limit of the budget is exceeded.
const EXCEEDED: u8 = 1;
/// Name of the bench image, beside the firmware's.
const IMAGE: &str = "bench";
/// Where these options stand in a help.
const CASE: &str = "One row instead of the table";

/// Run kernels on a modelled Cortex-M and count their cycles
#[derive(Parser, Debug)]
#[command(after_help = "\
Without a kernel, the whole table of the core. Results are compared bit for bit with the host's: a wrong kernel gives no figures.

Examples:
  host-sim bench
  host-sim bench --core cortex-m7 --peers --json bench.json
  host-sim bench --kernel gemv --dtype int8 --rows 688 --cols 256
  host-sim bench --core cortex-m33 --memory rp2350 --kernel gemm --rows 256 --cols 256 --tokens 8
  host-sim bench --kernel attention --heads 8 --head-dim 32 --positions 256
  host-sim bench --kernel token --model my.fathom
  host-sim bench --core cortex-m3 --budget firmware/bench-budget.toml")]
pub struct Cmd {
    /// gemv, gemm, attention, token or block_inactive
    #[arg(long, value_name = "NAME", value_parser = ["gemv", "gemm", "attention", "token", "block_inactive"], help_heading = CASE)]
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
    /// Query heads of attention
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = CASE)]
    heads: u16,
    /// Key/value heads, which divide the query heads [default: as many]
    #[arg(long, value_name = "N", help_heading = CASE)]
    kv_heads: Option<u16>,
    /// Width of a head, a multiple of 4
    #[arg(long, value_name = "N", default_value_t = 32, help_heading = CASE)]
    head_dim: u16,
    /// Positions that attention looks at
    #[arg(long, value_name = "N", default_value_t = 128, help_heading = CASE)]
    positions: u16,
    /// The model of token and block_inactive [default: firmware/models/halt.fathom]
    #[arg(long, value_name = "BLOB")]
    model: Option<PathBuf>,
    /// The firmware image, with the bench image beside it [default: built for the core by firmware/build-image]
    #[arg(long, value_name = "ELF")]
    image: Option<PathBuf>,
    /// Also the same work by microflow and embedded-nn; their image is built on first use
    #[arg(long)]
    peers: bool,
    /// Write the rows as JSON; - is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run the rows that this file limits, and fail beyond a limit
    #[arg(long, value_name = "TOML", conflicts_with = "kernel")]
    budget: Option<PathBuf>,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Shapes that no kernel takes, images that do not answer, wrong results.
    pub fn run(self) -> Result<u8> {
        let json = self.json.as_deref();
        if let Some(path) = json {
            check_writable(path)?;
        }
        let asked = self.kernel.as_deref().map(|kernel| self.cases(kernel)).transpose()?;
        let budget = self.budget.as_deref().map(Budget::read).transpose()?;
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build_for(&firmware::workspace()?, self.target.named()?.0)?,
        };
        let kernels = Image::read(&image_path.with_file_name(IMAGE))?;
        let (target, _) = self.target.resolve(&kernels)?;
        let limits = budget.as_ref().map(|budget| budget.of(target.core.name, &target.memory.name)).transpose()?;
        let whole = asked.is_none() && limits.is_none();
        let cases = match (asked, &limits) {
            (Some(cases), _) => cases,
            (None, Some(limits)) => limits.iter().map(|limit| limit.case).collect(),
            (None, None) => table::cases(target.core),
        };
        let firmware = if cases.iter().any(|case| !matches!(case, Case::Kernel(_))) {
            Some((Image::read(&image_path)?, self.read_model()?))
        } else {
            None
        };
        let model = firmware.as_ref().map(|(image, bytes)| Model::new(image, &target, bytes)).transpose()?;
        let mut bench = Bench::new(&target, &kernels, model);
        let mut rows = cases.iter().map(|case| bench.run(case)).collect::<Result<Vec<Row>>>()?;
        if self.peers {
            let image = Image::read(&firmware::build_peers(&firmware::workspace()?, firmware::target(target.core))?)?;
            rows.iter_mut().zip(&cases).for_each(|(row, case)| row.peers = peers::run(&image, &target, case));
        }
        let report = Report {
            schema: SCHEMA,
            core: target.core.name,
            memory_profile: target.memory.name.clone(),
            cost_table: target.core.table.version,
            rows,
        };
        write!(tables(json), "{}", report.table())?;
        if whole {
            writeln!(tables(json), "  {}", host::line())?;
        }
        if let Some(path) = json {
            write_json(path, &report)?;
        }
        let (Some(budget), Some(limits)) = (budget, limits) else { return Ok(0) };
        let (text, kept) = budget.table(&limits, &report.rows);
        write!(verdict(json), "\n{text}")?;
        Ok(if kept { 0 } else { EXCEEDED })
    }

    /// The cases that the options name.
    fn cases(&self, kernel: &str) -> Result<Vec<Case>> {
        let Some(element) = element(&self.dtype) else { bail!("there is no dtype {}", self.dtype) };
        let product = |tokens| Work::Product { element, rows: self.rows, columns: self.cols, tokens };
        let work = match (kernel, self.tokens) {
            ("token", _) => return Ok(vec![Case::Token]),
            ("block_inactive", _) => {
                return Ok([Inactive::HaltOmit, Inactive::SkipProject].map(Case::BlockInactive).to_vec());
            }
            ("attention", _) => {
                let Self { heads, kv_heads, head_dim, positions, .. } = *self;
                Work::Attention { element, heads, kv_heads: kv_heads.unwrap_or(heads), head_dim, positions }
            }
            ("gemv", None | Some(1)) => product(1),
            ("gemv", Some(tokens)) => bail!("gemv is for one token, not {tokens}: choose --kernel gemm"),
            (_, Some(1)) => bail!("gemm is for several tokens: choose --kernel gemv"),
            (_, tokens) => product(tokens.unwrap_or(8)),
        };
        let case = Case::Kernel(work);
        if work.operands().is_none() {
            bail!("no kernel takes {case}: extents are from 1 to {MAX_EXTENT}, columns and the width of a head multiples of 4");
        }
        Ok(vec![case])
    }

    /// The bytes of the model.
    fn read_model(&self) -> Result<Vec<u8>> {
        let path = match &self.model {
            Some(path) => path.clone(),
            None => firmware::workspace()?.join(Path::new("firmware/models/halt.fathom")),
        };
        std::fs::read(&path).with_context(|| format!("cannot read the model {}", path.display()))
    }
}
