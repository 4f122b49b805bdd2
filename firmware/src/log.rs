//! The defmt logger: encoded frames go out over the link, in one piece each.
//!
//! Not defmt-rtt or defmt-semihosting, because which of the two is needed is known only at run time.

use crate::{board, cycle_counter, link};
use core::cell::RefCell;
use critical_section::{Mutex, RestoreState};
use defmt::Encoder;
use heapless::Vec;

/// Longest piece of a frame that is sent at once; longer frames take several.
const PIECE: usize = 128;

static LOGGER: Mutex<RefCell<State>> =
    Mutex::new(RefCell::new(State { encoder: Encoder::new(), piece: Vec::new(), section: None }));

type Piece = Vec<u8, PIECE>;

struct State {
    encoder: Encoder,
    piece: Piece,
    /// The critical section that holds while a frame is open.
    section: Option<RestoreState>,
}

fn with(work: impl FnOnce(&mut Encoder, &mut Piece)) {
    critical_section::with(|section| {
        let State { encoder, piece, .. } = &mut *LOGGER.borrow_ref_mut(section);
        work(encoder, piece);
    });
}

/// Adds encoded bytes to the piece, which goes out when it is full.
#[inline(never)] // the encoder calls this from a dozen places
fn push(piece: &mut Piece, bytes: &[u8]) {
    if piece.extend_from_slice(bytes).is_err() {
        flush(piece);
        bytes.chunks(PIECE).for_each(link::log);
    }
}

fn flush(piece: &mut Piece) {
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
        with(|encoder, piece| encoder.start_frame(|bytes| push(piece, bytes)));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        finish();
    }

    unsafe fn write(bytes: &[u8]) {
        with(|encoder, piece| encoder.write(bytes, |encoded| push(piece, encoded)));
    }
}

/// Ends the open frame, if there is one.
fn finish() {
    let section = critical_section::with(|inner| LOGGER.borrow_ref_mut(inner).section.take());
    if let Some(section) = section {
        with(|encoder, piece| {
            encoder.end_frame(|bytes| push(piece, bytes));
            flush(piece);
        });
        board::leave_critical_section(section);
    }
}

/// Makes the logger fit for use after a panic or fault that may have come from the middle of a log: what there is of its frame goes
/// out. False when the crash came from the logger itself.
pub fn recover() -> bool {
    let usable = critical_section::with(|inner| LOGGER.borrow(inner).try_borrow_mut().is_ok());
    if usable {
        finish();
    }
    usable
}

defmt::timestamp!("{=u32}", cycle_counter::cycles());
