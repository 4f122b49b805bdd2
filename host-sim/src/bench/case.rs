//! What can be benched, and what each must reach.

use super::peers;
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

/// What an inactive token leaves in a block that it does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inactive {
    /// Policy `halt`, cache `omit`: the block is not entered.
    HaltOmit,
    /// Policy `skip`, cache `project`: its router is asked, and keys and values are projected.
    SkipProject,
}

impl Inactive {
    /// Name, as in JSON and in budgets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HaltOmit => "halt+omit",
            Self::SkipProject => "skip+project",
        }
    }
}

/// A kernel at a shape, or a part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// One kernel, by the bench image.
    Kernel(Work),
    /// One whole token of a model at full depth, by the firmware.
    Token,
    /// One block that a token does not run, by the firmware.
    BlockInactive(Inactive),
}

impl Case {
    /// A matrix times so many tokens.
    pub const fn product(element: Element, rows: u16, columns: u16, tokens: u16) -> Self {
        Self::Kernel(Work::Product { element, rows, columns, tokens })
    }

    /// Attention of one token with as many key/value heads as query heads.
    pub const fn attention(element: Element, heads: u16, head_dim: u16, positions: u16) -> Self {
        Self::Kernel(Work::Attention { element, heads, kv_heads: heads, head_dim, positions })
    }

    /// `gemv` for one token, `gemm` for more, `attention`, `token`, `block_inactive`.
    pub const fn kernel(&self) -> &'static str {
        match self {
            Self::Kernel(Work::Product { tokens: 1, .. }) => "gemv",
            Self::Kernel(Work::Product { .. }) => "gemm",
            Self::Kernel(Work::Peer { .. }) => "peer",
            Self::Kernel(Work::Attention { .. }) => "attention",
            Self::Token => "token",
            Self::BlockInactive(_) => "block_inactive",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(Work::Product { element, rows, columns, tokens }) => {
                write!(f, "{} {} {rows}x{columns}", self.kernel(), dtype(*element))?;
                if *tokens > 1 { write!(f, ", {tokens} tokens") } else { Ok(()) }
            }
            Self::Kernel(Work::Peer { library, rows, columns, tokens }) => {
                write!(f, "{} {rows}x{columns}, {tokens} tokens", peers::name(*library))
            }
            Self::Kernel(Work::Attention { element, heads, kv_heads, head_dim, positions }) => {
                let shared = if heads == kv_heads { String::new() } else { format!(" on {kv_heads}") };
                write!(f, "attention {} {heads}x{head_dim}{shared}, {positions} positions", dtype(*element))
            }
            Self::Token => f.write_str("token"),
            Self::BlockInactive(inactive) => write!(f, "block_inactive {}", inactive.name()),
        }
    }
}
