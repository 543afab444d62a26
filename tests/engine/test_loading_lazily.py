"""What loading does not do: nothing is read, converted or imported that is not used, and nothing is written that a second start might lack."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import load
from encoder_tui.engine.models.weight_files import SafetensorsFile
from own_process import run_forked
from safetensors.torch import load_file, save_file

SPARE = "spare.weight"  # stored, and used by nothing
MAPS = Path("/proc/self/maps")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each stored tensor has been read from its file."""
    counted: Counter[str] = Counter()
    tensor = SafetensorsFile.tensor

    def counting(file: SafetensorsFile, name: str) -> torch.Tensor:
        counted[name] += 1
        return tensor(file, name)

    monkeypatch.setattr(SafetensorsFile, "tensor", counting)
    return counted


@pytest.fixture
def with_spare(small_dir: Path, tmp_path: Path) -> Path:
    """The small model with a tensor more in its file."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in small_dir.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, SPARE: torch.ones(2, 8)}, folder / "model.safetensors")
    return folder


def test_loading_and_reading_a_text_read_no_weight(small_dir: Path, read: Counter[str]):
    run = load(small_dir, device="cpu").run("a cat")
    assert not read
    run["embeddings.token"].numpy()
    assert len(read) == 1
    assert "word_embeddings" in next(iter(read))


@pytest.mark.skipif(not MAPS.exists(), reason="no list of what is mapped")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_weight_is_read_and_converted_once_and_no_other(with_spare: Path, read: Counter[str], dtype: str):
    """Of many runs; in the dtype that is stored it is the very memory of the file, and no copy."""
    encoder = load(with_spare, device="cpu", dtype=dtype, tell=lambda _: None)
    for text in ("a cat", "two cats", "a cat"):
        run = encoder.run(text)
        for stage in run.program:
            run[stage.name].numpy()
    assert set(read.values()) == {1}
    assert len(read) == len(encoder.program.weights)
    assert SPARE not in read
    copied = [name for name in encoder.weights if not in_file(encoder.weights[name], with_spare)]
    assert copied == ([] if dtype == "float32" else list(encoder.weights))


def in_file(tensor: torch.Tensor, folder: Path) -> bool:
    """Whether its memory is that of the folder's weights, mapped."""
    place = str(folder / "model.safetensors")
    for line in MAPS.read_text().splitlines():
        if line.endswith(place):
            start, _, end = line.split()[0].partition("-")
            if int(start, 16) <= tensor.data_ptr() < int(end, 16):
                return True
    return False


SCRIPT = """
import sys
from encoder_tui.engine import load
load(sys.argv[1], device="cpu").run("a cat")["output"].numpy()
print(*sorted(sys.modules))
"""


def test_a_text_model_from_files_imports_nothing_of_modules_or_images_and_writes_nothing(
    small_dir: Path, tmp_path: Path
):
    """So a second start finds no cache, and lacks none."""
    home, before = tmp_path / "home", {path: path.stat().st_mtime_ns for path in small_dir.rglob("*")}
    home.mkdir()
    done = run_forked([str(small_dir)], script=SCRIPT, environment={"HOME": str(home), "PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    engine = "encoder_tui.engine.models."
    imported = set(done.stdout.split())
    assert f"{engine}checkpoint" in imported
    assert not [
        name
        for name in imported
        if name.startswith((f"{engine}torch_module", f"{engine}images.reader", f"{engine}traced", "transformers"))
    ]
    assert not list(home.rglob("*"))
    assert {path: path.stat().st_mtime_ns for path in small_dir.rglob("*")} == before
