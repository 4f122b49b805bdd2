//! The emulated board: its memory map, and one image with one model on it. The map is that of QEMU's `mps2-an386`, cut to the sizes of
//! an nRF52840-class chip; `firmware/memory.x` is its other half.

use crate::image::Image;
use crate::log::{Log, LogTable};
use crate::machine::{Machine, RegionKind, RegionSpec, Stop};
use crate::rtt::Rtt;
use crate::semihosting::{self, Call};
use std::ops::Range;

/// Flash: code first, then the model's own region, whose borders are the image's symbols `_model_start` and `_model_end`.
pub const FLASH: Range<u32> = 0x0000_0000..0x0010_0000;
/// Main memory.
pub const RAM: Range<u32> = 0x2000_0000..0x2004_0000;
/// Instructions between two looks at the guest's channels. The guest's behaviour does not depend on it unless a channel is full.
const SLICE: u64 = 50_000;
/// Instructions that a guest has to end after a fault: plenty for its report, and no long wait for a handler that is an endless loop.
const AFTER_FAULT: u64 = 20_000_000;

/// Why a board cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardError {
    /// The model is larger than its flash region.
    ModelTooLarge {
        /// Bytes of the region.
        region: usize,
        /// Bytes of the model.
        found: usize,
    },
    /// The image has no place for a model.
    NoModelRegion,
    /// A segment of the image lies outside the board's memory.
    Segment {
        /// Its address.
        address: u32,
        /// Its length.
        bytes: usize,
    },
}

impl std::fmt::Display for BoardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::ModelTooLarge { region, found } => {
                write!(f, "the model has {found} bytes, its flash region only {region}: export a smaller model")
            }
            Self::NoModelRegion => {
                f.write_str("the image has no symbols _model_start and _model_end: link it with firmware/memory.x")
            }
            Self::Segment { address, bytes } => {
                write!(
                    f,
                    "a segment of {bytes} bytes at {address:#010x} lies outside the board's memory: link with firmware/memory.x"
                )
            }
        }
    }
}

impl std::error::Error for BoardError {}

/// What the guest does, as it does it.
#[derive(Debug)]
pub enum Event<'a> {
    /// A line of its log.
    Log(&'a str),
    /// Bytes of its record channel.
    Records(&'a [u8]),
    /// Console text by semihosting.
    Console(&'a [u8]),
}

/// How the guest ended.
#[derive(Clone, Debug)]
pub enum End {
    /// It exited with this code.
    Exit(i32),
    /// It sleeps or runs without end.
    Stuck(&'static str),
    /// It locked up in a fault.
    Lockup,
}

/// The flash region that an image keeps for its model.
pub fn model_region(image: &Image) -> Option<Range<u32>> {
    Some(image.symbol("_model_start")?..image.symbol("_model_end")?)
}

/// A board with an image on it.
pub struct Board {
    /// The core and its memory.
    pub machine: Machine,
    initial_stack: u32,
    rtt: Option<Rtt>,
}

impl Board {
    /// Places `image` and `model` (may be empty) and resets the core, with a debugger attached.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn new(image: &Image, model: &[u8]) -> Result<Self, BoardError> {
        let region = |range: &Range<u32>, kind| RegionSpec { base: range.start, size: range.end - range.start, kind };
        let mut machine = Machine::new(&[region(&FLASH, RegionKind::Flash), region(&RAM, RegionKind::Ram)]);
        for segment in &image.segments {
            let (address, bytes) = (segment.address, segment.bytes.len());
            machine.load(address, &segment.bytes).map_err(|_| BoardError::Segment { address, bytes })?;
        }
        if !model.is_empty() {
            let place = model_region(image).ok_or(BoardError::NoModelRegion)?;
            let too_large = BoardError::ModelTooLarge { region: place.len(), found: model.len() };
            if model.len() > place.len() {
                return Err(too_large);
            }
            machine.load(place.start, model).map_err(|_| too_large)?;
        }
        machine.set_debugger_attached(true);
        machine.reset();
        let initial_stack = machine.register(13);
        Ok(Self { machine, initial_stack, rtt: image.symbol("_SEGGER_RTT").map(Rtt::new) })
    }

    /// Runs to the end, sending `input` to the guest's first down channel as it takes it. `max_instructions` stops a runaway guest.
    ///
    /// # Errors
    /// An image whose log cannot be decoded.
    pub fn run(
        &mut self,
        image: &Image,
        mut input: &[u8],
        max_instructions: u64,
        event: &mut dyn FnMut(Event<'_>),
    ) -> anyhow::Result<End> {
        let table = LogTable::new(image)?;
        let mut log = table.decoder();
        let mut last = max_instructions;
        loop {
            let stop = self.machine.run(SLICE);
            let end = match stop {
                Stop::Budget => {
                    if last == max_instructions && self.machine.first_fault().is_some() {
                        last = last.min(self.machine.instructions() + AFTER_FAULT);
                    }
                    (self.machine.instructions() >= last).then_some(End::Stuck("instruction limit reached"))
                }
                Stop::Breakpoint { imm: 0xab } => {
                    let call = semihosting::serve(&mut self.machine);
                    self.machine.resume_after_breakpoint();
                    match call {
                        Call::Console(bytes) => {
                            event(Event::Console(&bytes));
                            None
                        }
                        Call::Exit(code) => Some(End::Exit(code)),
                        Call::Done => None,
                    }
                }
                Stop::Breakpoint { .. } => Some(End::Stuck("breakpoint")),
                Stop::Sleep => Some(End::Stuck("asleep with nothing to wake it")),
                Stop::ResetRequested => Some(End::Stuck("reset requested")),
                Stop::Lockup(_) => Some(End::Lockup),
            };
            self.exchange(&mut log, &mut input, event);
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// Moves bytes between the guest's channels and the host: up 0 is the log, up 1 the records, down 0 the requests.
    fn exchange(&mut self, log: &mut Log<'_>, input: &mut &[u8], event: &mut dyn FnMut(Event<'_>)) {
        let Some(rtt) = self.rtt else { return };
        let mut bytes = Vec::new();
        rtt.read_up(&mut self.machine, 0, &mut bytes);
        log.receive(&bytes, |line| event(Event::Log(line)));
        bytes.clear();
        rtt.read_up(&mut self.machine, 1, &mut bytes);
        if !bytes.is_empty() {
            event(Event::Records(&bytes));
        }
        let sent = rtt.write_down(&mut self.machine, 0, input);
        *input = &input[sent..];
    }

    /// The most stack that was ever in use, in bytes.
    pub fn stack_peak(&self) -> u32 {
        self.initial_stack.saturating_sub(self.machine.lowest_stack_pointer())
    }

    /// The first fault that the guest ran into, if any, as one line and the registers of that moment.
    pub fn describe_fault(&self, image: &Image) -> Option<String> {
        let (fault, registers) = self.machine.first_fault()?;
        let registers: Vec<String> = registers.iter().enumerate().map(|(n, value)| format!("r{n}={value:08x}")).collect();
        let place = image.place(fault.pc);
        Some(format!(
            "guest fault: {fault} at {:#010x} in {place}\n  {}\n  {}",
            fault.pc,
            registers[..8].join(" "),
            registers[8..].join(" ")
        ))
    }
}
