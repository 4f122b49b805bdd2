//! Where the cycles go. In the order of the data: [`collect`] watches the machine and counts by address ([`addresses`]) and by calling
//! context ([`contexts`]) of [`functions`]; [`symbols`] names what was counted, with what was inlined; [`summary`] adds it up per
//! function and line, [`loops`] finds the hottest loop; [`text`], [`annotate`], [`folded`] and [`report`] show it, with the text of [`sources`].

pub mod addresses;
pub mod collect;
pub mod contexts;
pub mod functions;

pub mod sources;
pub mod symbols;

pub mod loops;
pub mod summary;

pub mod annotate;
pub mod folded;
pub mod report;
pub mod text;

#[cfg(test)]
mod tests;
