//! The first 16 bytes of a blob: magic, format version, header length, total length, checksum.
//!
//! ```text
//! 0        4         6               8              12             16
//! | "FTHM" | version | header length | total length | CRC-32       | postcard header ...
//! ```
//!
//! All integers are little-endian. The CRC-32 (ISO-HDLC, the one of zlib) covers bytes `16..total length`.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// Length of the prelude in bytes.
pub const PRELUDE_BYTES: usize = 16;
/// First bytes of every blob.
pub const MAGIC: [u8; 4] = *b"FTHM";
/// The version of the format that this crate writes and reads.
pub const VERSION: u16 = 2;

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The prelude's fields, as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// Format version.
    pub version: u16,
    /// Length of the postcard header in bytes.
    pub header_bytes: u16,
    /// Length of the blob in bytes, prelude included.
    pub total_bytes: u32,
    /// Checksum of everything after the prelude.
    pub crc: u32,
}

impl Prelude {
    /// Reads a prelude; `None` when the bytes do not start with [`MAGIC`].
    pub fn read(bytes: &[u8; PRELUDE_BYTES]) -> Option<Self> {
        let [m0, m1, m2, m3, v0, v1, h0, h1, t0, t1, t2, t3, c0, c1, c2, c3] = *bytes;
        ([m0, m1, m2, m3] == MAGIC).then_some(Self {
            version: u16::from_le_bytes([v0, v1]),
            header_bytes: u16::from_le_bytes([h0, h1]),
            total_bytes: u32::from_le_bytes([t0, t1, t2, t3]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        })
    }

    /// The prelude that `bytes` begin with, if any.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<PRELUDE_BYTES>().and_then(Self::read)
    }

    /// The 16 bytes of this prelude.
    pub fn write(&self) -> [u8; PRELUDE_BYTES] {
        let mut bytes = [0; PRELUDE_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.header_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.total_bytes.to_le_bytes());
        bytes[12..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }
}

/// CRC-32 (ISO-HDLC) of `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prelude_has_these_exact_bytes() {
        let prelude = Prelude { version: 1, header_bytes: 0x0203, total_bytes: 0x0405_0607, crc: 0x0809_0a0b };
        let bytes = *b"FTHM\x01\x00\x03\x02\x07\x06\x05\x04\x0b\x0a\x09\x08";
        assert_eq!(prelude.write(), bytes);
        assert_eq!(Prelude::read(&bytes), Some(prelude));
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }
}
