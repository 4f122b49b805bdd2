//! The defmt logger: encoded frames go out over the link, in one piece each.
//!
//! Not defmt-rtt or defmt-semihosting, because which of the two is needed is known only at run time.

use crate::{board, link};
use core::cell::RefCell;
use critical_section::{Mutex, RestoreState};
use defmt::Encoder;
use heapless::Vec;

/// Longest piece of a frame that is sent at once; longer frames take several.
const PIECE: usize = 128;

static LOGGER: Mutex<RefCell<State>> =
    Mutex::new(RefCell::new(State { encoder: Encoder::new(), piece: Vec::new(), section: None }));

struct State {
    encoder: Encoder,
    piece: Vec<u8, PIECE>,
    /// The critical section that holds while a frame is open.
    section: Option<RestoreState>,
}

impl State {
    fn with(work: impl FnOnce(&mut Encoder, &mut dyn FnMut(&[u8]))) {
        critical_section::with(|section| {
            let state = &mut *LOGGER.borrow_ref_mut(section);
            work(&mut state.encoder, &mut |bytes| {
                for byte in bytes {
                    if state.piece.push(*byte).is_err() {
                        flush(&mut state.piece);
                        state.piece.push(*byte).unwrap_or_default();
                    }
                }
            });
        });
    }
}

fn flush(piece: &mut Vec<u8, PIECE>) {
    link::log(piece);
    piece.clear();
}

#[defmt::global_logger]
struct Logger;

#[allow(unsafe_code, reason = "defmt demands it: frames must not overlap, which the critical section sees to")]
// SAFETY: `acquire` enters a critical section that `release` leaves, and refuses to nest.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        let section = board::enter_critical_section();
        critical_section::with(|inner| {
            let open = LOGGER.borrow_ref_mut(inner).section.replace(section);
            assert!(open.is_none(), "a log frame was opened inside another");
        });
        State::with(|encoder, write| encoder.start_frame(write));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        finish();
    }

    unsafe fn write(bytes: &[u8]) {
        State::with(|encoder, write| encoder.write(bytes, write));
    }
}

/// Ends the open frame, if there is one: normally a whole one, after a panic or fault in the middle of a log what there is of it.
pub fn finish() {
    let section = critical_section::with(|inner| LOGGER.borrow_ref_mut(inner).section.take());
    if let Some(section) = section {
        State::with(|encoder, write| encoder.end_frame(write));
        critical_section::with(|inner| flush(&mut LOGGER.borrow_ref_mut(inner).piece));
        board::leave_critical_section(section);
    }
}

defmt::timestamp!("{=u32}", board::cycles());
