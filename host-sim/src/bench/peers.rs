//! The same work by other libraries, on the same core and with the same memory.

use super::case::Case;
use super::kernel;
use crate::cmd::target::Target;
use crate::image::Image;
use fathom::format::Element;
use fathom::format::bench::{Library, Work};
use serde::Serialize;

/// A library's figures beside a row of ours.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    /// Crate and function.
    pub name: &'static str,
    /// Version of the crate.
    pub version: &'static str,
    /// Instructions.
    pub instructions: Option<u64>,
    /// Modelled cycles.
    pub cycles: Option<u64>,
    /// Cycles per multiply-accumulate.
    pub cycles_per_mac: Option<f64>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Crate and function.
pub const fn name(library: Library) -> &'static str {
    match library {
        Library::Microflow => "microflow fully_connected",
        Library::EmbeddedNn => "embedded-nn fully_connected_s8",
        Library::EmbeddedNnInt4 => "embedded-nn fully_connected_s4",
    }
}

/// Version of the crate: that of firmware/Cargo.toml.
pub const fn version(library: Library) -> &'static str {
    match library {
        Library::Microflow => "0.1.3",
        Library::EmbeddedNn | Library::EmbeddedNnInt4 => "0.2.3",
    }
}

/// What other libraries take for a case, if they have it: int8 and int4 products.
pub fn run(image: &Image, target: &Target, case: &Case) -> Vec<Peer> {
    let Case::Kernel(Work::Product { element, rows, columns, tokens }) = *case else { return Vec::new() };
    let libraries: &[Library] = match element {
        Element::Int8 => &[Library::Microflow, Library::EmbeddedNn],
        Element::Int4 { .. } => &[Library::EmbeddedNnInt4],
        Element::F16 => &[],
    };
    let figures = |library: &Library| {
        let work = Work::Peer { library: *library, rows, columns, tokens };
        let counts = kernel::run(image, target, work);
        let found = counts.as_ref().ok();
        Peer {
            name: name(*library),
            version: version(*library),
            instructions: found.map(|counts| counts.instructions),
            cycles: found.map(|counts| counts.cycles),
            cycles_per_mac: found.map(|counts| counts.cycles as f64 / work.macs() as f64),
            missing: counts.err().and_then(|error| error.to_string().lines().next().map(str::to_owned)),
        }
    };
    libraries.iter().map(figures).collect()
}
