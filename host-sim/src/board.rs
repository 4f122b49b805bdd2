//! The emulated board: a machine with an image on it, and the conversation between the guest and the host until it ends.

use crate::image::Image;
use crate::log::{Log, LogTable};
use crate::machine::cores::{CORTEX_M4, CoreSpec};
use crate::machine::{Machine, Stop};
use crate::memory_map::MemoryMap;
use crate::rtt::Rtt;
use crate::semihosting::{Heap, Output, Semihosting};
use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Instant;

/// Instructions between two looks at the guest's channels. The guest's behaviour does not depend on it unless a channel is full.
const SLICE: u64 = 50_000;
/// Cycles that instructions hardly take on average, even with slow memory.
const MOST_CYCLES: u64 = 256;
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
    /// A line of its log: what it sends through RTT's up channel 0, decoded by the image's defmt tables.
    Log(&'a str),
    /// Bytes of one of RTT's up channels: 1 are the firmware's records, 0 is text where the image has no defmt.
    Channel(u32, &'a [u8]),
    /// Console text by semihosting.
    Console(&'a [u8]),
    /// Console text by semihosting, meant for standard error.
    ConsoleError(&'a [u8]),
}

/// How the guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Exit(i32),
    /// It reached a breakpoint that is no semihosting call.
    Breakpoint(u8),
    /// It sleeps, and nothing can wake it.
    Asleep,
    /// It asked for a reset.
    Reset,
    /// A fault without a way out: the core locked up, or the handler runs without end.
    Fault,
    /// It used up its instructions.
    MaxInstructions,
    /// It used up its cycles.
    MaxCycles,
    /// It used up the host's time.
    Timeout,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "it exited with code {code}"),
            Self::Breakpoint(imm) => write!(f, "breakpoint {imm:#x}"),
            Self::Asleep => f.write_str("asleep with nothing to wake it"),
            Self::Reset => f.write_str("reset requested"),
            Self::Fault => f.write_str("locked up in a fault"),
            Self::MaxInstructions => f.write_str("instruction limit reached"),
            Self::MaxCycles => f.write_str("cycle limit reached"),
            Self::Timeout => f.write_str("time limit reached"),
        }
    }
}

/// When a guest is stopped that does not end by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// After this many instructions since reset.
    pub instructions: u64,
    /// After this many cycles since reset, give or take the instruction that reaches it.
    pub cycles: u64,
    /// At this moment of the host's time.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: u64::MAX, cycles: u64::MAX, deadline: None }
    }
}

impl Limits {
    /// How many instructions may run until the next look, or which limit is reached.
    fn next_slice(&self, machine: &Machine) -> Result<u64, End> {
        let (instructions, cycles) = (machine.instructions(), machine.cycles());
        if instructions >= self.instructions {
            return Err(End::MaxInstructions);
        }
        if cycles >= self.cycles {
            return Err(End::MaxCycles);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(End::Timeout);
        }
        // Comes close to the limit from below: at last by single instructions.
        Ok(SLICE.min(self.instructions - instructions).min(((self.cycles - cycles) / MOST_CYCLES).max(1)))
    }
}

/// The flash region that an image keeps for its model.
pub fn model_region(image: &Image) -> Option<Range<u32>> {
    Some(image.symbol("_model_start")?..image.symbol("_model_end")?)
}

/// The host's ends of the guest's channels.
pub struct Channels<'a> {
    log: Log<'a>,
    /// What the guest has not yet taken.
    input: &'a [u8],
}

impl<'a> Channels<'a> {
    /// Channels that decode the log with `table` and send `input` to the guest's first down channel as it takes it.
    pub fn new(table: &'a LogTable, input: &'a [u8]) -> Self {
        Self { log: table.decoder(), input }
    }
}

/// A board with an image on it.
pub struct Board {
    /// The core and its memory.
    pub machine: Machine,
    /// The host's half of semihosting: a console without input, and no files, unless the caller says otherwise.
    pub semihosting: Semihosting,
    initial_stack: u32,
    rtt: Option<Rtt>,
}

impl Board {
    /// The board of the project's firmware, with a Cortex-M4, with `image` and `model` (may be empty) on it.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn new(image: &Image, model: &[u8]) -> Result<Self, BoardError> {
        Self::with_core(&CORTEX_M4, image, model)
    }

    /// The same with another core.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn with_core(core: &'static CoreSpec, image: &Image, model: &[u8]) -> Result<Self, BoardError> {
        let map = MemoryMap::firmware();
        let mut board = Self::assemble(Machine::new(core, &map.regions), &map, image)?;
        board.place_model(image, model)?;
        Ok(board)
    }

    /// Places `image` into the memory of `machine`, which was made with the regions of `map`, and resets the core, with a debugger
    /// attached.
    ///
    /// # Errors
    /// [`BoardError::Segment`].
    pub fn assemble(mut machine: Machine, map: &MemoryMap, image: &Image) -> Result<Self, BoardError> {
        for segment in image.segments.iter().filter(|segment| !segment.bytes.is_empty()) {
            let (address, bytes) = (segment.address, segment.bytes.len());
            machine.load(address, &segment.bytes).map_err(|_| BoardError::Segment { address, bytes })?;
        }
        machine.set_vector_table(map.vector_table);
        machine.set_debugger_attached(true);
        machine.reset();
        let initial_stack = machine.register(13);
        let mut semihosting = Semihosting::default();
        semihosting.heap = Heap::beside(image, map);
        Ok(Self { machine, semihosting, initial_stack, rtt: image.symbol("_SEGGER_RTT").map(Rtt::new) })
    }

    /// Puts a model into the image's model region; an empty one leaves it as it is.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn place_model(&mut self, image: &Image, model: &[u8]) -> Result<(), BoardError> {
        if model.is_empty() {
            return Ok(());
        }
        let place = model_region(image).ok_or(BoardError::NoModelRegion)?;
        let too_large = BoardError::ModelTooLarge { region: place.len(), found: model.len() };
        if model.len() > place.len() {
            return Err(too_large);
        }
        self.machine.load(place.start, model).map_err(|_| too_large)
    }

    /// Runs to the end, sending `input` to the guest's first down channel as it takes it. `max_instructions` stops a runaway guest.
    ///
    /// # Errors
    /// An image whose log cannot be decoded.
    pub fn run(
        &mut self,
        image: &Image,
        input: &[u8],
        max_instructions: u64,
        event: &mut dyn FnMut(Event<'_>),
    ) -> anyhow::Result<End> {
        let limits = Limits { instructions: max_instructions, ..Limits::default() };
        let mut event = |it: Event<'_>| {
            event(it);
            Ok(())
        };
        self.run_by(&mut |machine, instructions| machine.run(instructions), image, input, &limits, &mut event)
    }

    /// The same with other limits, where `step` runs the machine for at most so many instructions: to observe them, say.
    ///
    /// # Errors
    /// An image whose log cannot be decoded; the first error of `event`, which ends the run.
    pub fn run_by(
        &mut self,
        step: &mut dyn FnMut(&mut Machine, u64) -> Stop,
        image: &Image,
        input: &[u8],
        limits: &Limits,
        event: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> anyhow::Result<End> {
        let table = LogTable::new(image)?;
        let mut channels = Channels::new(&table, input);
        // Since when, in instructions, the guest has been in the handler of a fault.
        let mut in_fault = None;
        loop {
            let slice = match limits.next_slice(&self.machine) {
                Ok(slice) => slice,
                Err(end) => return Ok(end),
            };
            let end = match step(&mut self.machine, slice) {
                Stop::Budget => {
                    let now = self.machine.instructions();
                    let since = self.handles_fault().then(|| in_fault.unwrap_or(now));
                    in_fault = since;
                    since.is_some_and(|since| now >= since + AFTER_FAULT).then_some(End::Fault)
                }
                Stop::Breakpoint { imm: 0xab } => self.serve(event)?.map(End::Exit),
                Stop::Breakpoint { imm } => Some(End::Breakpoint(imm)),
                Stop::Sleep => Some(End::Asleep),
                Stop::ResetRequested => Some(End::Reset),
                Stop::Lockup(_) => Some(End::Fault),
            };
            self.exchange(&mut channels, event)?;
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// Serves the semihosting call that the guest stopped at, and steps over it; the guest's exit code if it exits.
    ///
    /// # Errors
    /// Those of `event`.
    pub fn serve(&mut self, event: &mut dyn FnMut(Event<'_>) -> io::Result<()>) -> io::Result<Option<i32>> {
        let mut shown = Ok(());
        let exit = self.semihosting.serve(&mut self.machine, &mut |output, bytes| {
            let it = match output {
                Output::Standard => Event::Console(bytes),
                Output::Error => Event::ConsoleError(bytes),
            };
            if shown.is_ok() {
                shown = event(it);
            }
        });
        self.machine.resume_after_breakpoint();
        shown.map(|()| exit)
    }

    /// Whether the guest is in the handler of a fault that the machine raised.
    pub fn handles_fault(&self) -> bool {
        // Exceptions 3 to 6: HardFault, MemManage, BusFault, UsageFault.
        self.machine.first_fault().is_some() && matches!(self.machine.xpsr() & 0x1FF, 3..=6)
    }

    /// Moves bytes between the guest's channels and the host: up 0 is the log, down 0 the requests.
    ///
    /// # Errors
    /// Those of `event`.
    pub fn exchange(
        &mut self,
        channels: &mut Channels<'_>,
        event: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Channels { log, input } = channels;
        let Some(rtt) = self.rtt else { return Ok(()) };
        let mut bytes = Vec::new();
        for channel in 0..rtt.up_channels(&self.machine) {
            bytes.clear();
            rtt.read_up(&mut self.machine, channel, &mut bytes);
            if channel == 0 && log.decodes() {
                let mut shown = Ok(());
                log.receive(&bytes, |line| {
                    if shown.is_ok() {
                        shown = event(Event::Log(line));
                    }
                });
                shown?;
            } else if !bytes.is_empty() {
                event(Event::Channel(channel, &bytes))?;
            }
        }
        if !input.is_empty() {
            let sent = rtt.write_down(&mut self.machine, 0, input);
            *input = &input[sent..];
        }
        Ok(())
    }

    /// The most stack that was ever in use, in bytes.
    pub fn stack_peak(&self) -> u32 {
        self.initial_stack.saturating_sub(self.machine.lowest_stack_pointer())
    }
}
