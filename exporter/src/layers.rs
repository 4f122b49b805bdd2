//! The layers of the float model, over named parameters.

use crate::checkpoint::{Tensors, name};
use crate::ops::fake_quantise::fake_quantise;
use crate::ops::linear::{linear, linear_pair};
use crate::ops::norm::norm;
use candle_core::{D, Device, Result, Tensor, Var};
use fathom::format::{Norm, Shape};
use std::collections::BTreeMap;

/// Named trainable tensors.
#[derive(Clone, Debug)]
pub struct Parameters(pub BTreeMap<String, Var>);

impl Parameters {
    /// Variables with the values of `tensors`, on the CPU.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(tensors: &Tensors) -> Result<Self> {
        Self::on(&Device::Cpu, tensors)
    }

    /// The same where a model is to be trained.
    ///
    /// # Errors
    /// Those of candle.
    pub fn on(device: &Device, tensors: &Tensors) -> Result<Self> {
        let var = |(name, (shape, values)): (&String, &(Vec<usize>, Vec<f32>))| {
            Ok((name.clone(), Var::from_vec(values.clone(), shape.as_slice(), device)?))
        };
        Ok(Self(tensors.iter().map(var).collect::<Result<_>>()?))
    }

    /// The values now.
    ///
    /// # Errors
    /// Those of candle.
    pub fn tensors(&self) -> Result<Tensors> {
        let values = |(name, var): (&String, &Var)| Ok((name.clone(), (var.dims().to_vec(), var.flatten_all()?.to_vec1()?)));
        self.0.iter().map(values).collect()
    }

    /// # Errors
    /// There is no such parameter.
    pub(crate) fn find(&self, parameter: &str) -> Result<Tensor> {
        match self.maybe(parameter) {
            Some(tensor) => Ok(tensor),
            None => candle_core::bail!("no parameter {parameter}"),
        }
    }

    fn maybe(&self, parameter: &str) -> Option<Tensor> {
        self.0.get(parameter).map(|var| var.as_tensor().clone())
    }
}

/// A matrix with an optional bias.
pub(crate) struct Linear {
    weight: Tensor,       // [rows, columns]
    bias: Option<Tensor>, // [rows]
    /// Largest integer of a row, where the weights are rounded.
    pub limit: Option<i8>,
}

impl Linear {
    fn new(parameters: &Parameters, layer: &str) -> Result<Self> {
        Ok(Self { weight: parameters.find(&name::weight(layer))?, bias: parameters.maybe(&name::bias(layer)), limit: None })
    }

    /// The weights as the forward pass uses them.
    fn matrix(&self) -> Result<Tensor> {
        match self.limit {
            Some(limit) => fake_quantise(&self.weight, limit),
            None => Ok(self.weight.clone()),
        }
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = linear(x, &self.matrix()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// The results of both, side by side: `[n, rows of self + rows of other]`.
    pub fn forward_with(&self, other: &Self, x: &Tensor) -> Result<Tensor> {
        let y = linear_pair(x, &self.matrix()?, &other.matrix()?)?;
        match (&self.bias, &other.bias) {
            (Some(first), Some(second)) => y.broadcast_add(&Tensor::cat(&[first, second], 0)?),
            _ => Ok(y),
        }
    }
}

/// RMSNorm, or LayerNorm where it centres.
pub(crate) struct Normalise {
    weight: Tensor,       // [width]
    bias: Option<Tensor>, // [width]
    centred: bool,
}

impl Normalise {
    pub fn new(shape: &Shape, parameters: &Parameters, layer: &str) -> Result<Self> {
        let centred = shape.variants.norm == Norm::LayerNorm;
        Ok(Self { weight: parameters.find(&name::weight(layer))?, bias: parameters.maybe(&name::bias(layer)), centred })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = norm(x, &self.weight, self.centred)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// A router's network.
pub(crate) struct Router {
    hidden: Linear, // [router_width, width]
    output: Linear, // [outputs, router_width]
}

impl Router {
    /// `z` `[n]` of each output, of residuals `[n, width]`.
    pub fn forward(&self, h: &Tensor) -> Result<Vec<Tensor>> {
        let z = self.output.forward(&self.hidden.forward(h)?.relu()?)?;
        (0..z.dims()[1]).map(|output| z.narrow(1, output, 1)?.squeeze(D::Minus1)).collect()
    }
}

/// A block's layers.
pub(crate) struct Block {
    pub router: Option<Router>,
    pub norm1: Normalise,
    pub query: Linear,             // [width, width]
    pub key_value: Option<Linear>, // [caches * 2 * kv_heads * head_dim, width], none in a block that fills none
    pub output: Linear,            // [width, width]
    pub norm2: Normalise,
    pub up: Linear,   // [up_rows, width]
    pub down: Linear, // [width, mlp_width]
}

impl Block {
    /// Stored block `index` of a model; `parameters` were checked against `shape`.
    ///
    /// # Errors
    /// A parameter is missing.
    pub fn new(shape: &Shape, parameters: &Parameters, index: usize) -> Result<Self> {
        let part = |part: &str| name::block(index, part);
        let linear = |layer: &str| Linear::new(parameters, &part(layer));
        let normalise = |layer: &str| Normalise::new(shape, parameters, &part(layer));
        let is_routed = !shape.outputs_before(index).is_empty();
        let router = || Result::Ok(Router { hidden: linear(name::ROUTER_HIDDEN)?, output: linear(name::ROUTER_OUTPUT)? });
        Ok(Self {
            router: if is_routed { Some(router()?) } else { None },
            norm1: normalise(name::NORM1)?,
            query: linear(name::QUERY)?,
            key_value: if index < shape.key_value_blocks() { Some(linear(name::KEY_VALUE)?) } else { None },
            output: linear(name::OUTPUT)?,
            norm2: normalise(name::NORM2)?,
            up: linear(name::UP)?,
            down: linear(name::DOWN)?,
        })
    }
}
