//! The `exporter` command: results on stdout, diagnostics on stderr.

use clap::Parser;
use fathom_exporter::cmd;
use std::process::ExitCode;

/// Trains, calibrates, quantises and inspects Fathom models
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Train(cmd::train::Cmd),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exporter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
