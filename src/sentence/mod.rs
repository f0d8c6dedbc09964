//! Sentence models: folders that turn a sentence into a vector, so that what means the same lies near (MiniLM, E5, BGE, GTE: BERT's kind).
//!
//! `model.onnx` (or `onnx/model.onnx`) runs on `rten` as the recognizers do, `tokenizer.json` on its makers' `tokenizers`. Nothing of this is
//! needed: without a folder, or without an answer in time, sentences are understood from their words alone.

mod live;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rten::{NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use tokenizers::Tokenizer;

pub use live::{Counts, Live};

use crate::nlu::{Meaning, Meanings, SentenceModel};

/// A caller's sentence is no longer than this; what is longer is cut.
const MOST_TOKENS: usize = 128;
/// Vectors of example sentences that are kept for the next load of the same plans; about 1.5 KB each.
const MOST_KEPT: usize = 20_000;
/// Where the network may lie in its folder.
const NETWORKS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
/// How a network's output may be called: a vector a token.
const BY_TOKEN: [&str; 2] = ["last_hidden_state", "token_embeddings"];
/// … one a sentence.
const BY_SENTENCE: &str = "sentence_embedding";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("sentence model {folder}: {why}")]
pub struct ModelError {
    folder: String,
    why: String,
}

/// A loaded model, shared by all threads.
pub struct Model {
    network: rten::Model,
    wires: Wires,
    tokenizer: Tokenizer,
    pooling: Pooling,
    folder: PathBuf,
    /// Examples are asked for again at each load.
    kept: Mutex<BTreeMap<String, Vec<f32>>>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sentence model {}", self.folder.display())
    }
}

/// How a sentence's vector comes of its tokens'.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pooling {
    Mean,
    First,
}

struct Wires {
    ids: NodeId,
    mask: Option<NodeId>,
    kinds: Option<NodeId>,
    out: NodeId,
    is_pooled: bool,
}

/// The models in use: a reload of the plans takes the one that is there.
static IN_USE: Mutex<BTreeMap<PathBuf, Weak<Model>>> = Mutex::new(BTreeMap::new());

/// The model of a folder, loaded once as long as somebody holds it.
///
/// # Errors
/// [`ModelError`] names the folder and what is wrong.
pub fn open(folder: &Path) -> Result<Arc<Model>, ModelError> {
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = in_use.get(folder).and_then(Weak::upgrade) {
        return Ok(model);
    }
    let model = Arc::new(Model::load(folder)?);
    in_use.retain(|_, model| model.strong_count() > 0);
    in_use.insert(folder.to_path_buf(), Arc::downgrade(&model));
    Ok(model)
}

/// What plans are trained with: the folder's model, or words only where there is none.
///
/// # Errors
/// As [`open`].
pub fn of(folder: Option<&Path>) -> Result<SentenceModel, ModelError> {
    folder.map_or(Ok(SentenceModel::default()), |folder| Ok(SentenceModel::of(open(folder)?)))
}

impl Model {
    /// Loads a folder.
    ///
    /// # Errors
    /// [`ModelError`] names the folder and what is wrong.
    pub fn load(folder: &Path) -> Result<Model, ModelError> {
        Model::read(folder).map_err(|why| ModelError { folder: folder.display().to_string(), why })
    }

    fn read(folder: &Path) -> Result<Model, String> {
        let network = NETWORKS.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or(
            "there is no model.onnx and no onnx/model.onnx; its makers give one, or make it: scripts/sentence_onnx.py FOLDER".to_owned(),
        )?;
        let network = rten::Model::load_file(&network).map_err(|why| format!("{}: {why}", network.display()))?;
        let wires = Wires::of(&network)?;
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(|why| format!("tokenizer.json: {why}"))?;
        // What is filled up to the longest of a batch costs time and says nothing: sentences go one by one.
        tokenizer.with_padding(None);
        let cut = tokenizers::TruncationParams { max_length: MOST_TOKENS, ..Default::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|why| format!("tokenizer.json: {why}"))?;
        let pooling = Pooling::read(&folder.join("1_Pooling/config.json"))?;
        let model = Model { network, wires, tokenizer, pooling, folder: folder.to_path_buf(), kept: Mutex::default() };
        model.vector("你好, hello", &options()).map(|_| model)
    }

    /// A sentence's vector, of length 1.
    fn vector(&self, text: &str, options: &RunOptions) -> Result<Vec<f32>, String> {
        let tokens = self.tokenizer.encode(text, true).map_err(|why| why.to_string())?;
        let count = tokens.len();
        if count == 0 {
            return Err("no tokens".to_owned());
        }
        let row = |values: &[u32]| -> NdTensor<i32, 2> {
            NdTensor::from_data([1, count], values.iter().map(|&value| value.try_into().unwrap_or(i32::MAX)).collect::<Vec<i32>>())
        };
        let mut inputs: Vec<(NodeId, rten::ValueOrView)> = vec![(self.wires.ids, row(tokens.get_ids()).into())];
        inputs.extend(self.wires.mask.map(|wire| (wire, row(tokens.get_attention_mask()).into())));
        inputs.extend(self.wires.kinds.map(|wire| (wire, row(tokens.get_type_ids()).into())));
        let outputs = self.network.run(inputs, &[self.wires.out], Some(options.clone())).map_err(|why| why.to_string())?;
        let output: Tensor<f32> = outputs.into_iter().next().and_then(Value::into_tensor).ok_or("the network gave no numbers")?;
        let values = output.to_vec();
        let rows = if self.wires.is_pooled { 1 } else { count };
        let width = values.len() / rows;
        let pooled = match self.pooling {
            Pooling::Mean if rows > 1 => sum(&values, width),
            _ => values.get(..width).unwrap_or_default().to_vec(),
        };
        of_length_one(pooled).ok_or_else(|| format!("the vector of {text:?} has no length"))
    }
}

/// One thread a call: the pool that calls is bounded, so the machine is shared as configured.
fn options() -> RunOptions {
    RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(1))))
}

fn sum(values: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for row in values.chunks(width) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sum
}

fn of_length_one(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    (length.is_finite() && length > 0.0).then_some(vector)
}

impl Wires {
    fn of(network: &rten::Model) -> Result<Wires, String> {
        let find = |name: &str| network.find_node(name);
        let wanted =
            || format!("the network needs the input `input_ids` and an output called {}, {} or {BY_SENTENCE}", BY_TOKEN[0], BY_TOKEN[1]);
        let ids = find("input_ids").ok_or_else(wanted)?;
        let by_token = BY_TOKEN.iter().find_map(|name| find(name));
        let out = by_token.or_else(|| find(BY_SENTENCE)).ok_or_else(wanted)?;
        let (mask, kinds) = (find("attention_mask"), find("token_type_ids"));
        Ok(Wires { ids, mask, kinds, out, is_pooled: by_token.is_none() })
    }
}

impl Pooling {
    fn read(path: &Path) -> Result<Pooling, String> {
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(Pooling::Mean) };
        let config: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|why| format!("1_Pooling/config.json: {why}"))?;
        let is = |name: &str| config.get(name).and_then(serde_json::Value::as_bool) == Some(true);
        match (is("pooling_mode_mean_tokens"), is("pooling_mode_cls_token")) {
            (true, false) => Ok(Pooling::Mean),
            (false, true) => Ok(Pooling::First),
            _ => Err("1_Pooling/config.json: only `pooling_mode_mean_tokens` or `pooling_mode_cls_token` can be done".to_owned()),
        }
    }
}

impl Meaning for Model {
    fn meanings(&self, texts: &[&str]) -> Meanings {
        let options = options();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut vectors = Vec::with_capacity(texts.len());
        for text in texts {
            let vector = match kept.get(*text) {
                Some(vector) => vector.clone(),
                None => match self.vector(text, &options) {
                    Ok(vector) => vector,
                    Err(why) => {
                        tracing::error!(sentence = text, "{self:?}: {why}; sentences are understood from their words alone");
                        return Meanings::default();
                    }
                },
            };
            if kept.len() < MOST_KEPT {
                kept.insert((*text).to_owned(), vector.clone());
            }
            vectors.push(((*text).to_owned(), vector));
        }
        vectors.into_iter().collect()
    }
}
