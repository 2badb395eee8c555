"""A model's folder as the product reads it: model.onnx, golden.json (inputs with their answers), model.json (manifest)."""

import hashlib
import inspect
import json
import os
from datetime import date
from typing import List, NamedTuple, Sequence

import numpy as np
import torch

LICENCE = "Apache-2.0"  # of the models that this project ships
OPSET = 17
ONNX_RUNTIME_MIN = "1.14"  # the first minor version that people still have which knows opset 17


class Golden(NamedTuple):
    """Inputs of one batch, to be answered in the same way by whatever runs the model."""
    name: str
    inputs: Sequence[np.ndarray]


def write(folder: str, id: str, version: int, contract: int, model: torch.nn.Module, input_names: Sequence[str], output_name: str,
          golden: List[Golden], trained_until: date, data: List[dict], licence: str = LICENCE) -> str:
    """Exports, lets the model answer the golden inputs, and writes the manifest last. Returns the digest of model.onnx."""
    os.makedirs(folder, exist_ok=True)
    model.eval()
    path = os.path.join(folder, "model.onnx")
    _export(path, model, [torch.from_numpy(array) for array in golden[0].inputs], list(input_names), output_name)
    vectors = []
    for case in golden:
        with torch.no_grad():
            output = model(*(torch.from_numpy(array) for array in case.inputs)).numpy()
        vectors.append({"name": case.name, "inputs": [_tensor(array) for array in case.inputs], "output": _tensor(output)})
    _write_json(os.path.join(folder, "golden.json"), vectors)
    digest = _digest(path)
    _write_json(os.path.join(folder, "model.json"), {
        "id": id, "version": version, "contract": contract, "sha256": digest, "trainedUntil": trained_until.isoformat(),
        "onnxRuntimeMin": ONNX_RUNTIME_MIN, "golden": {"file": "golden.json", "sha256": _digest(os.path.join(folder, "golden.json"))},
        "data": data, "licence": licence,
    }, indent=2)
    return digest


def sources(files: Sequence[str]) -> List[dict]:
    """Where training files come from: what sources.json knows of their names, else that they are the user's own."""
    with open(os.path.join(os.path.dirname(__file__), "sources.json"), encoding="utf-8") as known:
        book = json.load(known)
    return [book.get(os.path.basename(file), {"name": os.path.basename(file), "publishedAs": "not published", "licence": "its owner's"}) for file in files]


def _export(path, model, example, input_names, output_name):
    # The exporter that both PyTorch 1.13 and 2.x have; newer versions take another one by default.
    options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(model, tuple(example), path, opset_version=OPSET, input_names=input_names, output_names=[output_name],
                      dynamic_axes={name: {0: "batch"} for name in input_names + [output_name]}, **options)
    try:
        import onnx
    except ImportError:
        return
    onnx.checker.check_model(onnx.load(path))


def _tensor(array: np.ndarray) -> dict:
    return {"values": [float(f"{value:.9g}") for value in array.reshape(-1).tolist()], "shape": list(array.shape)}


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _write_json(path: str, document, indent=None):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=indent, separators=None if indent else (",", ":"))
        file.write("\n")
