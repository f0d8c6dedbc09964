//! The three networks of a transducer on `rten`: encoder (streaming), decoder (two tokens of context), joiner.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{Dimension, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::fbank::BANDS;
use super::pieces::Pieces;
use super::tokens::Tokens;

/// Frames of 10 ms that the encoder looks at in one step, and by how many it moves on.
pub const CHUNK: usize = 45;
pub const ADVANCE: usize = 32;
/// Values of one encoder frame (40 ms).
pub const WIDTH: usize = 320;

/// Why a model folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("zipformer model {folder}: {why}; `hotline models verify` checks it")]
pub struct ModelError {
    folder: String,
    why: String,
}

/// A loaded model, shared by all threads.
pub struct Model {
    /// The language it hears, a primary subtag.
    pub lang: String,
    /// What the journal shows.
    pub name: Arc<str>,
    /// Its units.
    pub tokens: Tokens,
    /// How words are cut, for models of pieces.
    pub pieces: Option<Pieces>,
    encoder: rten::Model,
    decoder: rten::Model,
    joiner: rten::Model,
    wires: Wires,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({})", self.name)
    }
}

/// The encoder's inputs and outputs.
struct Wires {
    sound: NodeId,
    encoded: NodeId,
    states: Vec<State>,
}

struct State {
    before: NodeId,
    after: NodeId,
    shape: Vec<usize>,
    is_count: bool,
}

impl Model {
    /// Loads a folder such as `kws-zipformer-zh-wenetspeech-3.3M`.
    ///
    /// # Errors
    /// [`ModelError`] names the folder and what is wrong.
    pub fn load(folder: &Path) -> Result<Model, ModelError> {
        Model::read(folder).map_err(|why| ModelError { folder: folder.display().to_string(), why })
    }

    fn read(folder: &Path) -> Result<Model, String> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("zipformer");
        let lang = name.split('-').find(|part| part.len() == 2).ok_or("its name holds no language, such as `-zh-`")?;
        let network = |part: &str, order: [&str; 2]| {
            let path = order.iter().map(|ending| folder.join(format!("{part}{ending}"))).find(|path| path.is_file());
            let path = path.ok_or_else(|| format!("no {part}.onnx"))?;
            rten::Model::load_file(&path).map_err(|why| format!("{}: {why}", path.display()))
        };
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|why| format!("{file}: {why}"));
        let encoder = network("encoder", [".int8.onnx", ".onnx"])?;
        let wires = Wires::of(&encoder)?;
        Ok(Model {
            lang: lang.to_owned(),
            name: format!("zipformer:{name}").into(),
            tokens: Tokens::parse(&text("tokens.txt")?)?,
            pieces: std::fs::read(folder.join("bpe.model")).ok().and_then(|bytes| Pieces::parse(&bytes)),
            wires,
            encoder,
            decoder: network("decoder", [".onnx", ".int8.onnx"])?,
            joiner: network("joiner", [".int8.onnx", ".onnx"])?,
        })
    }

    /// The encoder's memory of a caller who has said nothing yet.
    pub fn silence(&self) -> Vec<Value> {
        let zeros = |state: &State| {
            let count = state.shape.iter().product();
            if state.is_count {
                Value::from(Tensor::from_data(&state.shape, vec![0i32; count]))
            } else {
                Value::from(Tensor::from_data(&state.shape, vec![0f32; count]))
            }
        };
        self.wires.states.iter().map(zeros).collect()
    }

    /// One step of [`CHUNK`] frames; gives encoder frames of [`WIDTH`] values and renews the memory.
    pub fn encode(&self, frames: &[[f32; BANDS]], memory: &mut Vec<Value>, options: &RunOptions) -> Result<Vec<f32>, String> {
        let sound = NdTensor::from_data([1, CHUNK, BANDS], frames[..CHUNK].concat());
        let mut inputs: Vec<(NodeId, ValueOrView)> = vec![(self.wires.sound, sound.into())];
        inputs.extend(self.wires.states.iter().zip(memory.iter()).map(|(state, value)| (state.before, value.into())));
        let wanted: Vec<NodeId> = std::iter::once(self.wires.encoded).chain(self.wires.states.iter().map(|state| state.after)).collect();
        let mut outputs = self.encoder.run(inputs, &wanted, Some(options.clone())).map_err(|why| why.to_string())?.into_iter();
        let encoded: Tensor<f32> = outputs.next().and_then(Value::into_tensor).ok_or("the encoder gave no numbers")?;
        // Copied out: the tensors given hold buffers six times as large.
        *memory = outputs.map(exact).collect::<Option<_>>().ok_or("the encoder gave no memory")?;
        Ok(encoded.to_vec())
    }

    /// What the decoder makes of the last two tokens.
    pub fn decode(&self, context: [i32; 2], options: &RunOptions) -> Result<Vec<f32>, String> {
        let input = NdTensor::from_data([1, 2], context.to_vec());
        run_one(&self.decoder, vec![input.into()], options)
    }

    /// Log probabilities of all tokens, row by row, for encoder frames beside decoder outputs.
    pub fn join(&self, encoded: Vec<f32>, decoded: Vec<f32>, options: &RunOptions) -> Result<Vec<f32>, String> {
        let rows = encoded.len() / WIDTH;
        let inputs = [encoded, decoded].map(|values| NdTensor::from_data([rows, WIDTH], values).into());
        let mut logits = run_one(&self.joiner, inputs.into(), options)?;
        for row in logits.chunks_mut(self.tokens.count()) {
            let most = row.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = row.iter().map(|logit| (logit - most).exp()).sum();
            let norm = most + sum.ln();
            row.iter_mut().for_each(|logit| *logit -= norm);
        }
        Ok(logits)
    }
}

impl Wires {
    fn of(encoder: &rten::Model) -> Result<Wires, String> {
        let node = |name: &str| encoder.node_id(name).map_err(|_| format!("the encoder has no '{name}'"));
        let mut states = Vec::new();
        for input in encoder.input_ids() {
            let info = encoder.node_info(*input).ok_or("an input of the encoder is not described")?;
            let name = info.name().unwrap_or("");
            if name == "x" {
                continue;
            }
            let shape = info.shape().unwrap_or_default().into_iter().map(fixed).collect::<Option<_>>();
            let shape = shape.ok_or_else(|| format!("'{name}' has no fixed shape"))?;
            states.push(State { before: *input, after: node(&format!("new_{name}"))?, shape, is_count: name == "processed_lens" });
        }
        Ok(Wires { sound: node("x")?, encoded: node("encoder_out")?, states })
    }
}

fn fixed(dimension: Dimension) -> Option<usize> {
    match dimension {
        Dimension::Fixed(size) => Some(size),
        Dimension::Symbolic(_) => None,
    }
}

fn exact(value: Value) -> Option<Value> {
    match value {
        Value::FloatTensor(tensor) => Some(Tensor::from_data(tensor.shape(), tensor.to_vec()).into()),
        Value::Int32Tensor(tensor) => Some(Tensor::from_data(tensor.shape(), tensor.to_vec()).into()),
        _ => None,
    }
}

fn run_one(model: &rten::Model, inputs: Vec<ValueOrView>, options: &RunOptions) -> Result<Vec<f32>, String> {
    let inputs = model.input_ids().iter().copied().zip(inputs).collect();
    let outputs = model.run(inputs, model.output_ids(), Some(options.clone())).map_err(|why| why.to_string())?;
    let first: Option<Tensor<f32>> = outputs.into_iter().next().and_then(Value::into_tensor);
    Ok(first.ok_or("a network gave no numbers")?.to_vec())
}

/// Runs on the calling thread's own pool of one: the shared pool would make callers wait for each other.
pub fn own_thread() -> RunOptions {
    RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(1))))
}

/// The model folders below a folder, in order of their names.
pub fn folders(models: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(models) else { return Vec::new() };
    let is_model = |path: &PathBuf| {
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains("zipformer"));
        named && path.join("tokens.txt").is_file()
    };
    let mut out: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_model).collect();
    out.sort();
    out
}
