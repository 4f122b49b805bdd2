//! The `monitor` commands.

use super::target::Debuggee;
use crate::machine::Stalls;

/// What the machine has counted since reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    cycles: u64,
    instructions: u64,
    stalls: Stalls,
}

const HELP: &str = "\
monitor cycles   modelled cycles and instructions since reset, and since the last time that you asked
monitor fault    the last fault, and the first since reset
monitor reset    start the guest anew: core, counters and caches; memory stays as it is
monitor help     this list
";

/// The answer to a command, as lines.
pub fn answer(debuggee: &mut Debuggee<'_>, command: &str) -> String {
    match command.trim() {
        "cycles" => cycles(debuggee),
        "fault" => fault(debuggee),
        "reset" => {
            debuggee.reset();
            let at = debuggee.board.machine.register(15);
            format!("the guest is at its reset handler, {at:#010x}; to see it, say: maintenance flush register-cache\n")
        }
        "help" | "" => HELP.to_owned(),
        other => format!("there is no command {other}; these there are:\n{HELP}"),
    }
}

fn cycles(debuggee: &mut Debuggee<'_>) -> String {
    let machine = &debuggee.board.machine;
    let now = Counts { cycles: machine.cycles(), instructions: machine.instructions(), stalls: machine.stalls() };
    let (core, memory) = (machine.spec(), &machine.profile().name);
    let title = format!("modelled: {}, memory {memory}, table {}\n", core.name, core.table.version);
    let before = std::mem::replace(&mut debuggee.asked, now);
    let row = |name: &str, now: u64, before: u64| format!("{name:18}{now:>16}{:>+16}\n", now.wrapping_sub(before) as i64);
    title
        + &row("cycles", now.cycles, before.cycles)
        + &row("instructions", now.instructions, before.instructions)
        + &row("stalls for code", now.stalls.fetch, before.stalls.fetch)
        + &row("stalls for data", now.stalls.data, before.stalls.data)
}

fn fault(debuggee: &Debuggee<'_>) -> String {
    let machine = &debuggee.board.machine;
    let first = debuggee.board.describe_fault(debuggee.image);
    let last = machine.last_fault().map(|fault| format!("last fault: {fault}, at {}\n", debuggee.image.place(fault.pc)));
    match (first, last) {
        (Some(first), Some(last)) => format!("first {first}\n{last}"),
        _ => "no fault since reset\n".to_owned(),
    }
}
