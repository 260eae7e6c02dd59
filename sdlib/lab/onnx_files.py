"""The networks of the lab as ONNX, the form in which a web page runs them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from sdlib.errors import ConfigError
from sdlib.files import atomic_path
from sdlib.lab.networks import LabNetworks
from sdlib.training.prediction import normalise

__all__ = ["write_onnx"]

OPSET = 17  # of ONNX's operators; onnxruntime-web has known all of them since 2022


class _Together(nn.Module):
    """Several networks that predict one tile: uint8 (1, S, S, 3) to their logits (n,)."""

    def __init__(self, networks: LabNetworks) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks.networks.values())

    def forward(self, tile: torch.Tensor) -> torch.Tensor:
        prepared = normalise(tile)
        return torch.cat([network(prepared)[:, 0] for network in self.networks])


def write_onnx(networks: LabNetworks, path: Path) -> int:
    """Write networks to one ONNX file, kernels in half precision as they are recorded.

    Its input ``tile`` is uint8 (1, S, S, 3), RGB, S the networks' size; its output ``logits`` is
    float32 (n,), of the n networks in their order. Networks compute in single precision.

    Parameters
    ----------
    networks : LabNetworks
        At least one.
    path : pathlib.Path
        The file, of which nothing is there unless it is whole.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    ConfigError
        There are no networks.
    SdlibError
        The file cannot be written.
    """
    if not networks.networks:
        raise ConfigError("expected at least one network to export, got none")
    tile = torch.zeros(1, networks.size, networks.size, 3, dtype=torch.uint8)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter needs a package more, and folds batch norms into kernels, which would
        # no longer be numbers of half precision.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Together(networks).eval(),
            (tile,),
            stream,
            input_names=["tile"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    model = onnx.load_from_string(stream.getvalue())
    _halve(model.graph)
    onnx.checker.check_model(model)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return path.stat().st_size


def _halve(graph: onnx.GraphProto) -> None:
    """Store weights in half precision where they lose nothing by it; a Cast makes them single."""
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        half = values.astype(np.float16)
        if values.dtype != np.float32 or values.ndim < 2 or not np.array_equal(half, values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
