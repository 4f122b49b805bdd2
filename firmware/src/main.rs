//! The Fathom firmware image.
#![no_std]
#![no_main]
