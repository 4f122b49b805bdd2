//! The `exporter` command: results on stdout, diagnostics on stderr.

use clap::Parser;
use fathom_exporter::cmd;
use mimalloc::MiMalloc;
use std::io::ErrorKind;
use std::process::ExitCode;

/// A training step allocates the same megabytes as the one before, which the C library gives back to the system in between: a fifth of the
/// step would be page faults.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Candle's name for the threads of its own pool.
const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";

/// Trains, calibrates, quantises and inspects Fathom models
#[derive(Parser)]
#[command(
    name = "exporter",
    version,
    after_help = "\
Examples:
  exporter fetch tiny-shakespeare
  exporter train exporter/recipes/default.toml --corpus tinyshakespeare.txt --out checkpoint
  exporter calibrate checkpoint --corpus tinyshakespeare.txt
  exporter export checkpoint --out model.fathom
  exporter eval model.fathom --corpus tinyshakespeare.txt
  exporter inspect model.fathom
  exporter sweep recipe.toml --corpus tinyshakespeare.txt --seeds 1,2 --folder runs
  exporter table runs/sweep.jsonl
  exporter plot runs/sweep.jsonl --out pictures"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Fetch(cmd::fetch::Cmd),
    Train(cmd::train::Cmd),
    BenchTrain(cmd::bench_train::Cmd),
    Calibrate(cmd::calibrate::Cmd),
    Export(cmd::export::Cmd),
    Eval(cmd::eval::Cmd),
    Inspect(cmd::inspect::Cmd),
    Sweep(cmd::sweep::Cmd),
    Table(cmd::table::Cmd),
    Plot(cmd::plot::Cmd),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // Candle shares operations on long vectors with a second pool of threads, which spin between them and take the cores from ours: two
    // runs side by side train 2.3 times faster without it. The comparison with candle's own loop leaves candle as it comes.
    if std::env::var_os(CANDLE_THREADS).is_none() && !matches!(command, Command::BenchTrain(_)) {
        // SAFETY: no other thread exists that could read or write the environment meanwhile: none has been started before, and neither
        // the allocator nor clap starts any.
        unsafe { std::env::set_var(CANDLE_THREADS, "1") };
    }
    let result = match command {
        Command::Fetch(command) => command.run(),
        Command::Train(command) => command.run(),
        Command::BenchTrain(command) => command.run(),
        Command::Calibrate(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Sweep(command) => command.run(),
        Command::Table(command) => command.run(),
        Command::Plot(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed stdout has seen enough, as of `exporter inspect | head`.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("exporter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
