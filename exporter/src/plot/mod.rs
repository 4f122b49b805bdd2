//! Pictures of a sweep, as SVG and PNG.
//!
//! [`picture`] draws whatever it is given on both, on the PNG through [`raster`], in the colours of [`style`]. What is drawn: [`pareto`]
//! from the [`marks`] of all points; [`curves`] and [`blocks`] from the metrics of the runs; [`passage`] and [`surprise`] from what one run
//! [`reading`] a text did at each character.

pub mod picture;
pub mod raster;
pub mod style;

pub mod marks;
pub mod pareto;

pub mod blocks;
pub mod curves;

pub mod passage;
pub mod reading;
pub mod surprise;
