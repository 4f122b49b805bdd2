//! The same image for int8 models alone: what it is built without is half of the runtime. See [`fathom_firmware::image`].
#![no_std]
#![no_main]
#![deny(unsafe_code)] // the one line that the entry attribute of cortex-m-rt forces is exempt by itself

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    fathom_firmware::image::main()
}
