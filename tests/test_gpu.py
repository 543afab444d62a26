"""`python -m tests gpu` on a machine without a GPU: it says so, and the same code goes through on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent


def gpu(*argv: str):
    return subprocess.run([sys.executable, "-m", "tests", "gpu", *argv], cwd=ROOT, capture_output=True, text=True)


def test_without_cuda_it_says_so_and_is_content():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = gpu()
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("no CUDA device that torch can use: nothing is checked")


@pytest.mark.sweep
@pytest.mark.parametrize("device", ["cpu", "pretend"])
def test_the_same_code_without_a_card_writes_its_figures(device: str, tmp_path: Path):
    """All but `speed`, which holds on a card alone; the tests on the pretend device go through every section in one process."""
    done = gpu(
        "--device", device, "commands", "debugging", "modules", "memory", "--write", str(tmp_path / "figures.json")
    )
    assert done.returncode == 0, done.stdout[-2000:]
    written = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert written["card"] == device
    assert len(written["findings"]) > 80
    scenes = [finding for finding in written["findings"] if finding["section"] == "commands"]
    assert len(scenes) > 10
    assert all(" commands" in finding["seen"] for finding in scenes)
    assert all(finding["holds"] for finding in written["findings"])


def test_a_section_that_is_not_there_is_refused():
    done = gpu("--device", "cpu", "speeed")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_the_readme_quotes_the_figures_that_were_written():
    figures = json.loads((ROOT / "tests" / "benchmarks" / "gpu.json").read_text("utf-8"))
    readme = (ROOT / "README.md").read_text("utf-8")
    assert figures["date"] in readme
    assert f"torch {figures['torch']}, transformers {figures['transformers']}" in readme
    for row in figures["tables"]["speed"]:
        assert f"{row['to_eager']:.2f}x / {row['to_sdpa']:.2f}x" in readme
    for row in figures["tables"]["families"]:
        assert {row["float32"], row["bfloat16"], row["float16"], row["waits"]} == {"0.0", "none"}
