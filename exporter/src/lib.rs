//! Host-side training, calibration, quantisation and export of Fathom models.
#![forbid(unsafe_code)]
