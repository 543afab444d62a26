"""What `--list-models` shows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from own_process import run_forked


def listed(cache: Path):
    done = run_forked(["--list-models"], environment=os.environ | {"HF_HUB_CACHE": str(cache)})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def put(cache: Path, name: str, directory: Path):
    snapshot = cache / f"models--{name.replace('/', '--')}" / "snapshots" / ("0" * 40)
    snapshot.parent.mkdir(parents=True)
    shutil.copytree(directory, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    return snapshot


def test_nothing_cached(tmp_path: Path):
    lines = listed(tmp_path / "none")
    assert lines[0] == "bundled"
    assert lines[1].split()[:4] == ["bundled", "(when", "no", "--model"]
    assert " bert " in lines[1]
    assert "  nothing yet; --model org/name downloads a model once" in lines


def test_cached_ones(small_dir: Path, tmp_path: Path):
    put(tmp_path, "org/good", small_dir)
    strange = put(tmp_path, "org/strange", small_dir)
    (strange / "config.json").write_text('{"model_type": "gpt2"}')
    (put(tmp_path, "org/empty", small_dir) / "model.safetensors").unlink()
    lines = {line.split()[0]: line for line in listed(tmp_path) if line.startswith("  org/")}
    assert list(lines) == ["org/empty", "org/good", "org/strange"]
    assert "cannot be opened: no weights" in lines["org/empty"]
    assert "cannot" not in lines["org/good"]
    assert "cannot be opened: family 'gpt2' is not known" in lines["org/strange"]
    assert "MB" in lines["org/good"]


@pytest.mark.sweep
def test_every_family_is_named(tmp_path: Path):
    from encoder_tui.engine.models.families import FAMILIES

    words = " ".join(listed(tmp_path)).replace(",", " ").split()
    assert set(FAMILIES) <= set(words)
