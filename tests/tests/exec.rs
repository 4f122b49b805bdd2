//! `host-sim exec`, from files that are no images to programs that people compile.
//!
//! * [`images`]: malformed files are refused, whatever they say of themselves;
//! * [`guests`]: guests that go wrong end in a way that says so;
//! * [`semihosting`]: every call, and what a guest must not reach with them;
//! * [`output`]: what a guest prints, and the trace;
//! * [`interrupts`]: order and cycles of exceptions;
//! * [`programs`]: C programs of another compiler on every core.

mod guests;
mod images;
mod interrupts;
mod output;
mod programs;
mod semihosting;
