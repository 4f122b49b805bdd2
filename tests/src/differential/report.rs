//! Compares what two runs left, and words the differences.

use super::image::Image;
use super::oracle::Outcome;
use super::snippet::Snippet;
use super::state::{APSR, FLOAT, FPSCR, LINK, SCRATCH, State, WORDS};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The differences between two runs of one image: how many, and one of each instruction in full. Empty if there are none.
pub fn differences(image: &Image, wanted: &Outcome, found: &Outcome) -> String {
    let mut text = String::new();
    for (who, outcome) in [("QEMU", wanted), ("our machine", found)] {
        if outcome.done != image.cases() {
            let (snippet, input) = image.case(outcome.done);
            let _ = writeln!(text, "{who} faults at case {}: {}\n{}", outcome.done, title(snippet), inputs(input));
        }
    }
    let mut by_name: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for index in 0..image.cases().min(wanted.done).min(found.done) {
        let (wanted, found) = (&wanted.states[index], &found.states[index]);
        if wanted != found {
            let (snippet, input) = image.case(index);
            let (count, _) = by_name.entry(snippet.name).or_insert_with(|| (0, describe(index, snippet, input, wanted, found)));
            *count += 1;
        }
    }
    for (name, (count, example)) in by_name {
        let _ = writeln!(text, "{name}: {count} cases differ, the first:\n{example}");
    }
    text
}

/// Instructions that left the start state as it was in every case: such a row tests nothing, unless the instruction does nothing.
pub fn without_effect(image: &Image, outcome: &Outcome) -> Vec<&'static str> {
    let mut effect: BTreeMap<&str, bool> = BTreeMap::new();
    for index in 0..image.cases().min(outcome.done) {
        let (snippet, input) = image.case(index);
        *effect.entry(snippet.name).or_default() |= outcome.states[index] != *input;
    }
    effect.into_iter().filter(|&(_, changed)| !changed).map(|(name, _)| name).collect()
}

/// Instructions that did not fault in every case.
pub fn without_fault(image: &Image, outcome: &Outcome) -> Vec<&'static str> {
    let hard_fault = |index: &usize| outcome.states[*index].0[WORDS - 1] == 3;
    let names: BTreeSet<&str> =
        (0..image.cases().min(outcome.done)).filter(|index| !hard_fault(index)).map(|index| image.case(index).0.name).collect();
    names.into_iter().collect()
}

fn describe(index: usize, snippet: &Snippet, input: &State, wanted: &State, found: &State) -> String {
    let mut text = format!("  case {index}: {}\n", title(snippet));
    for word in (0..input.0.len()).filter(|&word| wanted.0[word] != found.0[word]) {
        let (wanted, found) = (wanted.0[word], found.0[word]);
        let _ = writeln!(text, "  {}: QEMU {wanted:08x}, our machine {found:08x}", name(word));
    }
    text + &inputs(input)
}

fn title(snippet: &Snippet) -> String {
    let code: Vec<String> = snippet.tested.iter().map(|halfword| format!("{halfword:04x}")).collect();
    format!("{}, encoding {}", snippet.name, code.join(" "))
}

/// The start state, eight words to a line.
fn inputs(input: &State) -> String {
    let mut text = String::new();
    for (index, word) in input.0.iter().enumerate() {
        let lead = if index % 8 == 0 { "\n    " } else { " " };
        let _ = write!(text, "{lead}{}={word:08x}", name(index));
    }
    text.trim_start_matches('\n').to_owned()
}

fn name(word: usize) -> String {
    match word {
        LINK => "lr (or sp)".to_owned(),
        APSR => "apsr".to_owned(),
        FPSCR => "fpscr".to_owned(),
        SCRATCH.. => format!("[scratch+{}]", 4 * (word - SCRATCH)),
        FLOAT.. => format!("s{}", word - FLOAT),
        _ => format!("r{word}"),
    }
}
