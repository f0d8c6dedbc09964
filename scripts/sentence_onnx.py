#!/usr/bin/env python3
"""Writes model.onnx for a sentence model's folder that holds only model.safetensors (BERT's architecture: MiniLM, E5, BGE, GTE).

    python3 -m venv v && v/bin/pip install numpy onnx safetensors
    v/bin/python scripts/sentence_onnx.py FOLDER

Hotline reads `model.onnx` (or `onnx/model.onnx`, as its makers lay it out) beside `tokenizer.json`; most public folders have it already.
The graph has the names that the makers' own exports use: input_ids, attention_mask, token_type_ids -> last_hidden_state.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    """Nodes and constants as they are added."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weight(self, name, transposed=False):
        value = self.weights[name].astype(np.float32)
        return self.constant(name, value.T if transposed else value)

    def add(self, op, *inputs, **attributes):
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def linear(self, x, name):
        return self.add("Add", self.add("MatMul", x, self.weight(f"{name}.weight", transposed=True)), self.weight(f"{name}.bias"))

    def norm(self, x, name, epsilon):
        return self.add("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=epsilon)

    def gelu(self, x):
        half = self.add("Mul", x, self.constant("half", np.float32(0.5)))
        erf = self.add("Erf", self.add("Div", x, self.constant("root_2", np.float32(2**0.5))))
        return self.add("Mul", half, self.add("Add", erf, self.constant("one", np.float32(1))))


def bert(weights, config):
    """The encoder of BERT, sentences of any length in a batch of any size."""
    g = Graph(weights)
    epsilon, heads, hidden = config["layer_norm_eps"], config["num_attention_heads"], config["hidden_size"]
    words = g.add("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    kinds = g.add("Gather", g.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = g.add("Gather", g.add("Shape", "input_ids"), g.constant("axis_1", np.int64(1)))
    count = g.add("Range", g.constant("zero", np.int64(0)), length, g.constant("step", np.int64(1)))
    places = g.add("Gather", g.weight("embeddings.position_embeddings.weight"), count)
    x = g.norm(g.add("Add", g.add("Add", words, kinds), places), "embeddings.LayerNorm", epsilon)
    # What is only filled up is taken out of every sum.
    mask = g.add("Unsqueeze", g.add("Cast", "attention_mask", to=TensorProto.FLOAT), g.constant("axes", np.array([1, 2], np.int64)))
    away = g.add("Mul", g.add("Sub", g.constant("shown", np.float32(1)), mask), g.constant("far", np.float32(-1e4)))
    split = g.constant("split", np.array([0, 0, heads, hidden // heads], np.int64))
    joined = g.constant("joined", np.array([0, 0, hidden], np.int64))
    scale = g.constant("scale", np.float32((hidden // heads) ** -0.5))
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        part = lambda name: g.add("Reshape", g.linear(x, f"{at}.attention.self.{name}"), split)
        query = g.add("Transpose", part("query"), perm=[0, 2, 1, 3])
        key = g.add("Transpose", part("key"), perm=[0, 2, 3, 1])
        value = g.add("Transpose", part("value"), perm=[0, 2, 1, 3])
        scores = g.add("Add", g.add("Mul", g.add("MatMul", query, key), scale), away)
        seen = g.add("MatMul", g.add("Softmax", scores, axis=-1), value)
        seen = g.add("Reshape", g.add("Transpose", seen, perm=[0, 2, 1, 3]), joined)
        x = g.norm(g.add("Add", g.linear(seen, f"{at}.attention.output.dense"), x), f"{at}.attention.output.LayerNorm", epsilon)
        wide = g.gelu(g.linear(x, f"{at}.intermediate.dense"))
        x = g.norm(g.add("Add", g.linear(wide, f"{at}.output.dense"), x), f"{at}.output.LayerNorm", epsilon)
    g.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ("input_ids", "attention_mask", "token_type_ids")]
    out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", hidden])
    graph = helper.make_graph(g.nodes, "bert", ids, [out], list(g.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
        sys.exit(f"{folder}/config.json: only BERT's architecture (gelu, absolute positions) is written here; take the maker's own ONNX export")
    weights = {name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()}
    model = bert(weights, config)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    print(f"{folder / 'model.onnx'}: {(folder / 'model.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    main()
