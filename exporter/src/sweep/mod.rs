//! Many runs, trained and measured alike: what claims about learned depth rest on.
//!
//! In the order of the data: [`grid`] says which runs there are, [`prices`] what tokens of their shapes cost on a core, [`schedule`] shares
//! the cores among them, [`measure`] judges each one beside its [`crate::controls`], and [`point`] is the record that is left. [`group`] puts
//! the seeds of a recipe together, and [`table`] says what they are worth beside dense models.

pub mod grid;
pub mod measure;
pub mod point;
pub mod prices;
pub mod schedule;

pub mod group;
pub mod table;
