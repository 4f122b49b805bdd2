//! What can be benched.

use fathom::format::Element;
use fathom::format::bench::Work;
use std::fmt;

/// Name of an element type, as in `--dtype` and in JSON.
pub const fn dtype(element: Element) -> &'static str {
    match element {
        Element::F16 => "f16",
        Element::Int8 => "int8",
        Element::Int4 { .. } => "int4",
    }
}

/// The element type of that name.
pub fn element(name: &str) -> Option<Element> {
    [Element::Int8, Element::INT4, Element::F16].into_iter().find(|element| dtype(*element) == name)
}

/// A kernel at a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What the image is asked to do.
    pub work: Work,
}

impl Case {
    /// A matrix times so many tokens.
    pub const fn product(element: Element, rows: u16, columns: u16, tokens: u16) -> Self {
        Self { work: Work::Product { element, rows, columns, tokens } }
    }

    /// `gemv` for one token, `gemm` for more.
    pub const fn kernel(&self) -> &'static str {
        match self.work {
            Work::Product { tokens: 1, .. } => "gemv",
            Work::Product { .. } => "gemm",
        }
    }

    /// Multiply-accumulates of the whole call.
    pub fn macs(&self) -> u64 {
        match self.work {
            Work::Product { rows, columns, tokens, .. } => u64::from(rows) * u64::from(columns) * u64::from(tokens),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Work::Product { element, rows, columns, tokens } = self.work;
        write!(f, "{} {} {rows}x{columns}, {tokens} tokens", self.kernel(), dtype(element))
    }
}
