//! Host-side training, calibration, quantisation and export of Fathom models.
//!
//! In the order of the data: a [`corpus`], its [`split`] and a [`recipe`] make a [`config`] and [`checkpoint`]; [`quantise`], [`rounding`] and [`hessian`]
//! turn matrices into integers; [`model`] computes with [`ops`]; [`train`] fits it to [`losses`], of soft gates with their [`soft_metric`], and those of [`joint`] stages, through rounded matrices too, which start
//! from [`calibrated_rounding`]; [`evaluate`] judges it; [`calibrate`] finds operating points along the [`thresholds`] by price; [`export`] writes the blob, which [`blob_eval`]
//! judges with the runtime's own kernels, beside the depths of [`controls`]; [`macs`] and [`cost`] say what its depths cost on a core; [`sweep`]
//! does all of it for many recipes and seeds, and [`plot`] draws what comes of it.
#![forbid(unsafe_code)]

pub mod fetch;

pub mod split;

pub mod corpus;
pub mod recipe;
mod recipe_rules;

pub mod config;
pub mod tensors;

pub mod checkpoint;
pub mod checkpoint_folder;

pub mod quantise;
pub mod rounding;

pub mod hessian;

pub mod ops;

mod layers;
pub mod model;

pub mod random;

pub mod soft_metric;

pub mod losses;

pub mod joint;

pub mod muon;
pub mod optimiser;

pub mod plain_loop;

pub mod calibrated_rounding;

pub mod watch;

pub mod metrics;
pub mod train;

pub mod evaluate;

pub mod thresholds;

pub mod calibrate;

pub mod aligned;
pub mod export;

pub mod blob_eval;

pub mod controls;

pub mod macs;

pub mod cost;

pub mod sweep;

pub mod plot;

pub mod cmd;
