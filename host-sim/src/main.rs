//! The `host-sim` command: stdout belongs to the guest's text and the report, diagnostics go to stderr.

use clap::Parser;
use fathom_host_sim::cmd;
use std::io::ErrorKind;
use std::process::ExitCode;

/// Executes Cortex-M images on a modelled core and counts their cycles
#[derive(Parser)]
#[command(
    name = "host-sim",
    version,
    after_help = "\
Every cycle figure is modelled: host-sim/ACCURACY.md compares them with silicon.

Examples:
  host-sim run --core cortex-m33 --memory rp2350 --json run.json
  host-sim report run.json -o report.html
  host-sim profile --flamegraph flame.svg
  host-sim exec --core cortex-m4 program.elf some arguments
  host-sim bench --core cortex-m4
  host-sim run --help"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(cmd::run::Cmd),
    Report(cmd::report::Cmd),
    Compare(cmd::compare::Cmd),
    Exec(cmd::exec::Cmd),
    Gdb(cmd::gdb::Cmd),
    Profile(Box<cmd::profile::Cmd>),
    Bench(cmd::bench::Cmd),
    Cost(cmd::cost::Cmd),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Exec(command) => command.run(),
        Command::Gdb(command) => command.run(),
        Command::Profile(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Cost(command) => command.run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        // Whoever closed stdout has seen enough, as of `host-sim run | head`.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("host-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
