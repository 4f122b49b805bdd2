//! Everything that crosses a file or machine border, each with its writer and its reader, defined once.
//!
//! * [`header`]: the postcard header of a blob, plain wire types;
//! * [`header_reader`]: reads it, as small as it can be;
//! * [`shape`]: the one place for every shape rule; [`Shape`] is a header's geometry after validation;
//! * [`layout`]: where each tensor lies in a blob, a pure function of the shape;
//! * [`packing`]: the row-pair packing of int8 weights;
//! * [`quad_packing`]: the row-quad packing of int4 weights;
//! * [`prelude`]: the first 16 bytes and the checksum;
//! * [`writer`]: fills a blob (its reader is `blob`);
//! * [`record`]: what a running device and its host say to each other;
//! * [`mod@bench`]: what a host asks of the image that runs single kernels.

pub mod bench;
pub mod header;
pub mod header_reader;
pub mod layout;
pub mod packing;
pub mod prelude;
pub mod quad_packing;
pub mod record;
pub mod shape;
pub mod writer;

pub use header::{
    BlockMatrix, Cache, DepthSet, Element, Geometry, Header, MatrixElement, MatrixSet, Mlp, Norm, OperatingPoint, Policy,
    Position, Provenance, Routing, Tokenizer, Variants,
};
pub use layout::{BlockLayout, Layout, LinearLayout, NormLayout, RouterLayout, Span};
pub use shape::{Shape, ShapeError};
