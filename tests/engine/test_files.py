"""Files as other people left them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.models.files import read_json, read_object, regular


def test_a_regular_file_and_a_link_to_one(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    assert read_object(tmp_path / "link.json") == {"a": 1}
    assert not regular(tmp_path / "none.json")
    assert not regular(tmp_path / "bro\0ken")
    assert read_object(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    ("make", "what"), [(os.mkfifo, "a pipe"), (os.mkdir, "a directory")], ids=["pipe", "directory"]
)
def test_nothing_else_is_opened(tmp_path: Path, make: Callable[[Path], object], what: str):
    make(tmp_path / "config.json")
    with pytest.raises(InputError, match=f"config.json is {what}, not a file"):
        read_object(tmp_path / "config.json")


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000])
def test_what_is_nested_too_deeply(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="nested too deeply"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"{", "cannot read"), (b"\xff\xfe", "not UTF-8"), (b"[1]", "it holds list, not an object"), (b"", "cannot read")],
)
def test_what_is_no_object(tmp_path: Path, content: bytes, says: str):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_object(tmp_path / "a.json")
