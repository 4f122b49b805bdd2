use fathom_tests::commands::{exporter, host_sim, run, succeed};
use std::process::Command;

type Program = (&'static str, fn(&[&str]) -> Command);

const EXPORTER: Program = ("exporter", exporter);
const HOST_SIM: Program = ("host-sim", host_sim);

/// Every command and subcommand, with an argument list that clap refuses.
const COMMANDS: [(Program, &[&str]); 18] = [
    (EXPORTER, &[]),
    (EXPORTER, &["fetch"]),
    (EXPORTER, &["train"]),
    (EXPORTER, &["calibrate"]),
    (EXPORTER, &["export"]),
    (EXPORTER, &["eval"]),
    (EXPORTER, &["inspect"]),
    (EXPORTER, &["sweep"]),
    (EXPORTER, &["table"]),
    (EXPORTER, &["plot"]),
    (EXPORTER, &["bench-train"]),
    (HOST_SIM, &[]),
    (HOST_SIM, &["run"]),
    (HOST_SIM, &["exec"]),
    (HOST_SIM, &["report"]),
    (HOST_SIM, &["compare"]),
    (HOST_SIM, &["bench"]),
    (HOST_SIM, &["cost"]),
];

#[test]
fn every_help_has_examples() {
    for ((name, program), command) in COMMANDS {
        let long = succeed(&mut program(&[command, &["--help"]].concat()));
        assert!(long.contains("Usage: "), "{name} {command:?}: {long}");
        let (_, examples) =
            long.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} {command:?} has no examples: {long}"));
        assert!(
            examples.lines().all(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name} {command:?}: {examples}"
        );
    }
}

#[test]
fn a_usage_error_exits_with_2_and_prints_no_result() {
    for ((name, program), command) in COMMANDS {
        let ran = run(&mut program(&[command, &["--no-such-option"]].concat()));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{name} {command:?}");
        assert!(ran.stderr.starts_with("error: "), "{name} {command:?}: {}", ran.stderr);
    }
    for clock in ["fast", "0MHz", "-1MHz", "inf"] {
        let ran = run(&mut host_sim(&["run", &format!("--clock={clock}")]));
        assert_eq!(ran.code, Some(2), "{clock}");
    }
    let both = ["eval", "x", "--corpus", "y", "--full", "--effort", "1"];
    assert_eq!(run(&mut exporter(&both)).code, Some(2));
    let both = ["train", "x", "--corpus", "y", "--out", "z", "--force", "--resume"];
    assert_eq!(run(&mut exporter(&both)).code, Some(2));
}

#[test]
fn versions_are_those_of_the_workspace() {
    for (name, program) in [EXPORTER, HOST_SIM] {
        assert_eq!(succeed(&mut program(&["--version"])), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn nothing_is_coloured_when_nobody_looks_at_it() {
    for ((name, program), command) in COMMANDS {
        for arguments in [[command, &["--help"]].concat(), [command, &["--no-such-option"]].concat()] {
            let ran = run(program(&arguments).env("TERM", "xterm-256color").env_remove("NO_COLOR"));
            assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{name} {arguments:?}: {ran:?}");
        }
    }
}
