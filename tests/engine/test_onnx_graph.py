"""An ONNX graph is compared node by node; made here by hand, so that nothing but onnx and onnxruntime is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import InputError, Run, Session, load
from encoder_tui.testing import assert_same
from session_kit import do

TEXT = "The animal didn't cross the street because it was too tired"


@pytest.fixture(scope="module")
def session() -> Session:
    encoder = load(None, "cpu")
    return Session(encoder.run([TEXT]), encoder)


def write_graph(run: Any, path: Path, fault: bool = False) -> None:
    """The embeddings and the first layer's feed-forward part on them, under names of no meaning; the fault: no bias."""
    onnx: Any = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = {
        name: run.weight(name)
        for name in run.weights
        if name.startswith(("embeddings.", "encoder.layer.0.")) and "self" not in name
    }
    layer = "encoder.layer.0"
    held = {name.replace(".weight", ".w"): array for name, array in weights.items()}
    for name in ("query", "key", "value"):
        module = f"{layer}.attention.self.{name}"
        held[f"{name}.w"], held[f"{name}.b"] = run.weight(f"{module}.weight").T, run.weight(f"{module}.bias")
    held["positions"] = np.arange(run.tokens.shape[1])
    held["zeros"] = np.zeros(run.tokens.shape[1], np.int64)
    node = helper.make_node
    nodes = [
        node("Gather", ["embeddings.word_embeddings.w", "input_ids"], ["a"]),
        node("Gather", ["embeddings.position_embeddings.w", "positions"], ["b"]),
        node("Gather", ["embeddings.token_type_embeddings.w", "zeros"], ["c"]),
        node("Add", ["a", "c"], ["d"]),
        node("Add", ["d", "b"], ["e"]),
        node("LayerNormalization", ["e", "embeddings.LayerNorm.w", "embeddings.LayerNorm.bias"], ["f"], epsilon=1e-12),
    ]
    for name in ("query", "key", "value"):
        nodes.append(node("MatMul", ["f", f"{name}.w"], [f"{name}0"]))
        if not (fault and name == "key"):
            nodes.append(node("Add", [f"{name}0", f"{name}.b"], [f"{name}1"]))
    end = "key0" if fault else "key1"
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, [1, None])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("query1", end, "value1")],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in held.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


@pytest.mark.parametrize("form", ["", " optimised"])
def test_a_graph_is_matched_by_its_numbers_and_equal(form: str, session: Session, tmp_path: Path) -> None:
    write_graph(session.trace, tmp_path / "right.onnx")
    text = do(session, f"compare onnx '{tmp_path}/right.onnx'{form}")
    assert text.splitlines()[-1].startswith("equal within what float32 explains")
    assert "nodes of the graph" in text
    assert isinstance(session.trace, Run)


def test_a_fault_in_a_graph_is_found_at_its_stage(session: Session, tmp_path: Path) -> None:
    write_graph(session.trace, tmp_path / "wrong.onnx", fault=True)
    assert (
        "the first is layers.0.attention.key" in do(session, f"compare onnx '{tmp_path}/wrong.onnx'").splitlines()[-1]
    )
    with pytest.raises(
        AssertionError, match=r"^wrong.onnx is not the same as bundled: it begins at layers.0.attention.key"
    ):
        assert_same(tmp_path / "wrong.onnx", session.trace)


def test_what_is_no_graph_is_refused_in_a_line(session: Session, tmp_path: Path) -> None:
    for module in ("onnx", "onnxruntime"):
        pytest.importorskip(module)
        assert import_module(module)
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match="cannot run"):
        do(session, f"compare onnx '{tmp_path}/x.onnx'")
    with pytest.raises(InputError, match="no file"):
        do(session, f"compare onnx '{tmp_path}/y.onnx'")
