//! Checkpoints: named f32 tensors in a safetensors file, with a JSON config beside it. The only place with parameter names.

use crate::config::Config;
use crate::tensors::{BlockTensors, LinearTensors, ModelTensors, NormTensors, RouterTensors};
use fathom::format::{Mlp, Norm, Position, Shape, ShapeError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// File of the tensors inside a checkpoint's folder.
pub const TENSORS_FILE: &str = "model.safetensors";
/// File of the configuration.
pub const CONFIG_FILE: &str = "config.json";

/// Tensors by name: shape and row-major values.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Why a checkpoint cannot be used.
#[derive(Debug)]
pub enum CheckpointError {
    /// A file cannot be read.
    File(PathBuf, std::io::Error),
    /// A file cannot be written.
    Write(PathBuf, std::io::Error),
    /// A file is not what it should be.
    Malformed(PathBuf, String),
    /// The configuration breaks a shape rule.
    Shape(ShapeError),
    /// A tensor is missing.
    Missing {
        /// Its name.
        tensor: String,
        /// Its shape.
        wanted: Vec<usize>,
    },
    /// A tensor has another shape.
    Misshapen {
        /// Its name.
        tensor: String,
        /// The shape that the configuration asks for.
        wanted: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
}

impl std::fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
            Self::Malformed(path, what) => write!(f, "{} is malformed: {what}", path.display()),
            Self::Shape(error) => error.fmt(f),
            Self::Missing { tensor, wanted } => write!(f, "the checkpoint has no tensor {tensor}, wanted {wanted:?}"),
            Self::Misshapen { tensor, wanted, found } => {
                write!(f, "tensor {tensor} of the checkpoint has shape {found:?}, wanted {wanted:?}")
            }
        }
    }
}

impl std::error::Error for CheckpointError {}

/// What a tensor is, which decides its initial values and its weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Embedding, head or position table.
    Embedding,
    /// A matrix that reads the residual.
    Matrix,
    /// So many of them, one above the other: keys and values of each cache, or SwiGLU's gate and up.
    Stack(usize),
    /// A matrix that writes to the residual.
    Residual,
    /// A gain, initially 1.
    Gain,
    /// A bias, initially 0.
    Bias,
    /// A router's matrix.
    Router,
    /// The bias of a router's output.
    RouterBias,
}

/// Names of layers; a parameter is a layer's [`name::weight`] or [`name::bias`].
pub mod name {
    /// Token embedding.
    pub const EMBEDDING: &str = "embedding";
    /// Learned positions.
    pub const POSITION: &str = "position";
    /// Before the head.
    pub const FINAL_NORM: &str = "final_norm";
    /// A separate head.
    pub const HEAD: &str = "head";
    /// Part of a block: a router's hidden layer.
    pub const ROUTER_HIDDEN: &str = "router.hidden";
    /// Part of a block: a router's output layer.
    pub const ROUTER_OUTPUT: &str = "router.output";
    /// Part of a block: before attention.
    pub const NORM1: &str = "norm1";
    /// Part of a block: before the MLP.
    pub const NORM2: &str = "norm2";
    /// Part of a block: queries.
    pub const QUERY: &str = "query";
    /// Part of a block: keys, then values.
    pub const KEY_VALUE: &str = "key_value";
    /// Part of a block: attention's output.
    pub const OUTPUT: &str = "output";
    /// Part of a block: the MLP's first matrix.
    pub const UP: &str = "up";
    /// Part of a block: the MLP's second matrix.
    pub const DOWN: &str = "down";

    /// A part of stored block `index`; exit blocks follow those that tokens pass in order.
    pub fn block(index: usize, part: &str) -> String {
        format!("blocks.{index}.{part}")
    }

    /// A layer's weight.
    pub fn weight(layer: &str) -> String {
        format!("{layer}.weight")
    }

    /// A layer's bias.
    pub fn bias(layer: &str) -> String {
        format!("{layer}.bias")
    }

    /// Whether a parameter belongs to one of the blocks.
    pub fn is_in_blocks(parameter: &str, mut blocks: std::ops::Range<usize>) -> bool {
        blocks.any(|index| parameter.starts_with(&block(index, "")))
    }

    /// Whether a parameter belongs to a router.
    pub fn is_router(parameter: &str) -> bool {
        parameter.contains(".router.")
    }
}

/// Every parameter of a model: name, shape, role; in the order of the data.
pub fn parameters(shape: &Shape) -> Vec<(String, Vec<usize>, Role)> {
    let Shape { width, vocabulary, mlp_width, context, router_width, .. } = *shape;
    let bias = shape.variants.bias;
    let mut all = vec![(name::weight(name::EMBEDDING), vec![vocabulary, width], Role::Embedding)];
    if shape.variants.position == Position::Learned {
        all.push((name::weight(name::POSITION), vec![context, width], Role::Embedding));
    }
    let norm = |all: &mut Vec<_>, layer: &str| {
        all.push((name::weight(layer), vec![width], Role::Gain));
        if shape.variants.norm == Norm::LayerNorm && bias {
            all.push((name::bias(layer), vec![width], Role::Bias));
        }
    };
    for block in 0..shape.stored_blocks() {
        let part = |part: &str| name::block(block, part);
        let outputs = shape.outputs_before(block).len();
        if outputs > 0 {
            let (hidden, output) = (part(name::ROUTER_HIDDEN), part(name::ROUTER_OUTPUT));
            all.push((name::weight(&hidden), vec![router_width, width], Role::Router));
            all.push((name::bias(&hidden), vec![router_width], Role::Bias));
            all.push((name::weight(&output), vec![outputs, router_width], Role::Router));
            all.push((name::bias(&output), vec![outputs], Role::RouterBias));
        }
        norm(&mut all, &part(name::NORM1));
        norm(&mut all, &part(name::NORM2));
        let matrices = [
            (name::QUERY, width, width, Role::Matrix),
            (name::KEY_VALUE, shape.key_value_rows(block), width, Role::Stack(2 * shape.caches_made_by(block).len())),
            (name::OUTPUT, width, width, Role::Residual),
            (name::UP, shape.up_rows(), width, if shape.variants.mlp == Mlp::SwiGlu { Role::Stack(2) } else { Role::Matrix }),
            (name::DOWN, width, mlp_width, Role::Residual),
        ];
        for (layer, rows, columns, role) in matrices.into_iter().filter(|(_, rows, ..)| *rows > 0) {
            all.push((name::weight(&part(layer)), vec![rows, columns], role));
            if bias {
                all.push((name::bias(&part(layer)), vec![rows], Role::Bias));
            }
        }
    }
    norm(&mut all, name::FINAL_NORM);
    if !shape.variants.tied_head {
        all.push((name::weight(name::HEAD), vec![vocabulary, width], Role::Embedding));
    }
    all
}

/// Checks that every parameter is there with its shape; other tensors are ignored.
///
/// # Errors
/// [`CheckpointError::Missing`] or [`CheckpointError::Misshapen`].
pub fn check(tensors: &Tensors, shape: &Shape) -> Result<(), CheckpointError> {
    for (tensor, wanted, _) in parameters(shape) {
        match tensors.get(&tensor) {
            None => return Err(CheckpointError::Missing { tensor, wanted }),
            Some((found, _)) if *found != wanted => {
                return Err(CheckpointError::Misshapen { tensor, wanted, found: found.clone() });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The model by roles.
///
/// # Errors
/// As [`check`].
pub fn model(tensors: &Tensors, shape: &Shape) -> Result<ModelTensors, CheckpointError> {
    check(tensors, shape)?;
    let values = |parameter: &str| tensors.get(parameter).map(|(_, values)| values.clone());
    // Every parameter below was checked.
    let present = |parameter: String| values(&parameter).unwrap_or_default();
    let linear = |layer: &str| {
        let (dims, weight) = tensors.get(&name::weight(layer)).cloned().unwrap_or_default();
        LinearTensors { rows: dims[0], columns: dims[1], weight, bias: values(&name::bias(layer)) }
    };
    let norm = |layer: &str| NormTensors { weight: present(name::weight(layer)), bias: values(&name::bias(layer)) };
    let block = |block: usize| {
        let part = |part: &str| name::block(block, part);
        BlockTensors {
            router: (!shape.outputs_before(block).is_empty()).then(|| RouterTensors {
                hidden: linear(&part(name::ROUTER_HIDDEN)),
                output: present(name::weight(&part(name::ROUTER_OUTPUT))),
                output_bias: present(name::bias(&part(name::ROUTER_OUTPUT))),
            }),
            norm1: norm(&part(name::NORM1)),
            query: linear(&part(name::QUERY)),
            key_value: if block < shape.key_value_blocks() {
                linear(&part(name::KEY_VALUE))
            } else {
                LinearTensors { rows: 0, columns: shape.width, weight: Vec::new(), bias: None }
            },
            output: linear(&part(name::OUTPUT)),
            norm2: norm(&part(name::NORM2)),
            up: linear(&part(name::UP)),
            down: linear(&part(name::DOWN)),
        }
    };
    Ok(ModelTensors {
        embedding: linear(name::EMBEDDING),
        position: values(&name::weight(name::POSITION)),
        blocks: (0..shape.stored_blocks()).map(block).collect(),
        final_norm: norm(name::FINAL_NORM),
        head: (!shape.variants.tied_head).then(|| linear(name::HEAD)),
    })
}

/// Writes `bytes` beside `path`, then moves them there: a reader sees the old file or the new one.
///
/// # Errors
/// [`CheckpointError::Write`]; nothing partial stays.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes).map_err(|error| CheckpointError::Write(path.into(), error)); // a device
    }
    let place = place(path);
    let mut partial = place.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, &place)).map_err(|error| {
        let _ = std::fs::remove_file(&partial); // may not exist; the first error is the one to report
        CheckpointError::Write(path.into(), error)
    })
}

/// What `path` leads to over links, there or not: that is written, and no link is replaced.
fn place(path: &Path) -> PathBuf {
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(target) = place.read_link() else { break };
        place = place.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    place
}

/// Links in a row that are followed, as many as Linux does.
const MOST_LINKS: usize = 40;

/// Writes a checkpoint's tensors, with `state` in the file's metadata.
///
/// # Errors
/// [`CheckpointError::Write`].
pub fn save(folder: &Path, tensors: &Tensors, state: Option<&str>) -> Result<(), CheckpointError> {
    let path = folder.join(TENSORS_FILE);
    let malformed = |error: safetensors::SafeTensorError| CheckpointError::Malformed(path.clone(), error.to_string());
    let views = tensors.iter().map(|(name, (shape, values))| {
        TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(malformed)?;
    let metadata = state.map(|state| HashMap::from([("state".to_owned(), state.to_owned())]));
    let bytes = safetensors::serialize(views, metadata).map_err(malformed)?;
    write_whole(&path, &bytes)
}

/// Reads a checkpoint's tensors and the state in its metadata.
///
/// # Errors
/// [`CheckpointError`].
pub fn load(folder: &Path) -> Result<(Tensors, Option<String>), CheckpointError> {
    let path = folder.join(TENSORS_FILE);
    let bytes = std::fs::read(&path).map_err(|error| CheckpointError::File(path.clone(), error))?;
    let malformed = |what: String| CheckpointError::Malformed(path.clone(), what);
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| malformed(error.to_string()))?;
    let state = metadata.metadata().as_ref().and_then(|metadata| metadata.get("state").cloned());
    let file = SafeTensors::deserialize(&bytes).map_err(|error| malformed(error.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => view.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            Dtype::BF16 => view.data().chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => return Err(malformed(format!("tensor {name} has element type {other:?}, wanted F32, F16 or BF16"))),
        };
        tensors.insert(name, (view.shape().to_vec(), values));
    }
    Ok((tensors, state))
}

/// Writes the configuration.
///
/// # Errors
/// [`CheckpointError::Write`].
pub fn save_config(folder: &Path, config: &Config) -> Result<(), CheckpointError> {
    let path = folder.join(CONFIG_FILE);
    let text =
        serde_json::to_string_pretty(config).map_err(|error| CheckpointError::Malformed(path.clone(), error.to_string()))?;
    write_whole(&path, (text + "\n").as_bytes())
}

/// Reads the configuration and its validated shape.
///
/// # Errors
/// [`CheckpointError`].
pub fn load_config(folder: &Path) -> Result<(Config, Shape), CheckpointError> {
    let path = folder.join(CONFIG_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| CheckpointError::File(path.clone(), error))?;
    let config: Config =
        serde_json::from_str(&text).map_err(|error| CheckpointError::Malformed(path.clone(), error.to_string()))?;
    if config.alphabet.len() > 256 {
        return Err(CheckpointError::Malformed(
            path,
            format!("the alphabet has {} bytes, at most 256 are possible", config.alphabet.len()),
        ));
    }
    let shape = config.shape().map_err(CheckpointError::Shape)?;
    let ascending = config.alphabet.windows(2).all(|pair| pair[0] < pair[1]);
    if config.alphabet.len() != shape.vocabulary || !ascending {
        let found = config.alphabet.len();
        return Err(CheckpointError::Malformed(
            path,
            format!("the alphabet must be {} ascending bytes, found {found}", shape.vocabulary),
        ));
    }
    Ok((config, shape))
}
