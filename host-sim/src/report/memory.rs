//! Memory of a run: what is taken, and the map of the areas with the peak of each.

use crate::image::Image;
use serde::{Deserialize, Serialize};

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Code and constants.
    pub flash_code: u64,
    /// The blob.
    pub flash_model: u64,
    /// The arena.
    pub arena: u64,
    /// Peak stack.
    pub stack_peak: u64,
    /// The memory map, flash first; an area whose borders the image does not name is absent.
    pub areas: Vec<Area>,
}

/// One area of memory and the most that was ever in use there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// `code`, `model`, `stack`, `statics` or `heap`.
    pub name: String,
    /// `flash` or `ram`.
    pub memory: String,
    /// Lowest address.
    pub start: u32,
    /// Bytes.
    pub size: u32,
    /// Bytes in use at the peak.
    pub peak: u32,
}

impl Area {
    /// The areas that the image's symbols (of its linker script and cortex-m-rt) mark, with what a run took of them.
    pub fn of(image: &Image, model: usize, arena: u32, stack_peak: u32) -> Vec<Self> {
        let symbols = |start: &str, end: &str| Some((image.symbol(start)?, image.symbol(end)?));
        let model_region = symbols("_model_start", "_model_end");
        // Code begins where the image does and has all flash up to the model.
        let first = image.segments.iter().map(|segment| segment.address).min();
        let code = first.zip(model_region).map(|(first, (model, _))| (first, model));
        let code_bytes = code.map_or(0, |(start, end)| image.bytes_in(start..end));
        let statics = symbols("__sdata", "__sheap");
        let areas = [
            ("code", "flash", code, code_bytes),
            ("model", "flash", model_region, model as u32),
            ("stack", "ram", symbols("_stack_end", "_stack_start"), stack_peak),
            ("statics", "ram", statics, statics.map_or(0, |(start, end)| end.saturating_sub(start))),
            ("heap", "ram", symbols("__sheap", "_heap_end"), arena),
        ];
        areas
            .into_iter()
            .filter_map(|(name, memory, borders, peak)| {
                let (start, end) = borders?;
                let size = end.checked_sub(start)?;
                Some(Self { name: name.into(), memory: memory.into(), start, size, peak })
            })
            .collect()
    }
}
