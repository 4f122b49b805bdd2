//! The JSON file beside a checkpoint: what its tensors mean.

use crate::split::Split;
use fathom::format::header::{MAX_OPERATING_POINTS, OperatingPoint};
use fathom::format::{Element, Geometry, Header, Provenance, Routing, Shape, ShapeError, Tokenizer, Variants};
use serde::{Deserialize, Serialize};

/// Configuration of a checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sizes.
    pub geometry: Geometry,
    /// Architecture variants.
    pub variants: Variants,
    /// Depth decisions.
    pub routing: Routing,
    /// Bytes of the vocabulary, ascending.
    pub alphabet: Vec<u8>,
    /// SHA-256 of the corpus, unpacked.
    pub corpus_sha256: [u8; 32],
    /// Training seed.
    pub seed: u64,
    /// Training tokens seen.
    pub training_tokens: u64,
    /// Whether outputs of different routers can be compared: they say how much there is still to be gained, or became gates of 0 or 1
    /// against one threshold. Soft gates have ranges that differ from layer to layer.
    #[serde(alias = "routers_predict_gain")]
    pub comparable_routers: bool,
    /// How the corpus was divided. Absent from files where it is the default, as in all that are older than splits.
    #[serde(default, skip_serializing_if = "Split::is_default")]
    pub split: Split,
}

impl Config {
    /// A blob's header for this model, with `points` (an unrouted model has its single empty point) and validation loss in nats.
    ///
    /// # Errors
    /// More than [`MAX_OPERATING_POINTS`] points.
    pub fn header(&self, element: Element, points: &[OperatingPoint], default: usize, loss: f32) -> Result<Header, String> {
        let operating_points =
            heapless::Vec::from_slice(points).map_err(|_| format!("at most {MAX_OPERATING_POINTS} operating points"))?;
        let alphabet = heapless::Vec::from_slice(&self.alphabet).map_err(|_| "the alphabet has over 256 bytes".to_owned())?;
        let exporter = concat!("fathom-exporter ", env!("CARGO_PKG_VERSION"));
        Ok(Header {
            geometry: self.geometry,
            variants: self.variants,
            element,
            routing: self.routing,
            operating_points,
            default_point: default as u8,
            tokenizer: Tokenizer::Bytes { alphabet },
            provenance: Provenance {
                exporter: exporter.try_into().map_err(|_| "the exporter's version is too long".to_owned())?,
                corpus_sha256: self.corpus_sha256,
                seed: self.seed,
                training_tokens: self.training_tokens,
                validation_loss_nats: loss,
            },
        })
    }

    /// The validated shape.
    ///
    /// # Errors
    /// The first shape rule broken.
    pub fn shape(&self) -> Result<Shape, ShapeError> {
        let header = self.header(Element::F16, &[], 0, 0.0).unwrap_or_else(|_| unreachable!("no points and at most 256 bytes"));
        Shape::new(&header)
    }
}
