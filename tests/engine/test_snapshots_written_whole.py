"""A file appears whole or not at all: whatever goes wrong, what stood there before is left as it was."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine import Encoder, InputError, save
from encoder_tui.engine.program.value import Value
from encoder_tui.engine.traces import atomic_write


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def unnamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the system has files without a name."""
    if request.param and not atomic_write.UNNAMED:
        pytest.skip("this system has no files without a name")
    monkeypatch.setattr(atomic_write, "UNNAMED", atomic_write.UNNAMED if request.param else 0)
    return request.param


@pytest.fixture(params=["out.safetensors", "out.npz"])
def target(request: pytest.FixtureRequest, tmp_path: Path, unnamed: bool) -> Path:
    """A file of another content, alone in its directory."""
    path = tmp_path / request.param
    path.write_bytes(b"what was there")
    return path


def assert_untouched(target: Path):
    assert target.read_bytes() == b"what was there"
    assert os.listdir(target.parent) == [target.name]


def failing(error: BaseException, after: int):
    read, left = Value.read, [after]

    def fails(self: Value, *args: Any):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return read(self, *args)

    return fails


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory"), InputError("no")], ids=repr)
def test_when_a_value_fails_midway(small: Encoder, target: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch):
    from encoder_tui.engine.traces.run_value import RunValue

    run, read = small.run("one"), RunValue.read
    calls: list[str] = []

    def fails(self: RunValue, *args: Any):
        calls.append(self.name)
        if len(calls) > 10:
            raise error
        return read(self, *args)

    monkeypatch.setattr(RunValue, "read", fails)
    with pytest.raises(type(error)):
        save(run, target)
    assert len(calls) == 11
    assert_untouched(target)


class FullDisk:
    """A file on a disk that is full after some bytes."""

    def __init__(self, file: Any, room: int):
        self.file, self.room = file, room

    def __getattr__(self, name: str):
        return getattr(self.file, name)

    def write(self, data: bytes):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *error: object):
        self.file.close()


@pytest.mark.parametrize("room", [0, 5_000])
def test_when_the_disk_is_full(small: Encoder, target: Path, room: int, monkeypatch: pytest.MonkeyPatch):
    opened = os.fdopen

    def full(*args: Any) -> FullDisk:
        return FullDisk(opened(*args), room)

    monkeypatch.setattr(atomic_write.os, "fdopen", full)
    with pytest.raises(InputError, match=r"cannot write .*No space left on device"):
        save(small.run("one two three four"), target)
    monkeypatch.undo()
    assert_untouched(target)


def test_when_renaming_fails(small: Encoder, target: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, other: object):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(InputError, match="Operation not permitted"):
        save(small.run("one"), target)
    monkeypatch.undo()
    assert_untouched(target)


def test_when_the_directory_cannot_be_written(small: Encoder, target: Path, monkeypatch: pytest.MonkeyPatch):
    """Root may write anywhere, so the refusal is simulated."""

    def refuse(*args: object, **options: object):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(atomic_write.os, "open", refuse)
    monkeypatch.setattr(atomic_write.tempfile, "mkstemp", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        save(small.run("one"), target)
    assert_untouched(target)


def test_it_does_replace_when_all_goes_well(small: Encoder, target: Path):
    save(small.run("one"), target, "tokens.ids")
    assert target.read_bytes() != b"what was there"
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no/such/directory/out.npz", "No such file or directory"),
        ("folder.npz", "it is a directory"),
        ("out.txt", "neither .safetensors nor .npz"),
        ("out", "neither .safetensors nor .npz"),
        ("file/out.npz", "Not a directory"),
        ("~nosuchuser/out.npz", "No such file or directory"),
        ("x" * 300 + ".npz", "File name too long"),
    ],
)
def test_paths_that_cannot_be_written(small: Encoder, tmp_path: Path, path: str, says: str):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        save(small.run("one"), path if path.startswith("~") else tmp_path / path, "tokens.ids")
    assert says in str(error.value)


KILLED = """
import os, signal, sys
from pathlib import Path
from encoder_tui.engine.traces import atomic_write
if sys.argv[2] == "named":
    atomic_write.UNNAMED = 0
with atomic_write.atomic_write(Path(sys.argv[1])) as file:
    file.write(b"x" * 100_000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process as Unix does")
def test_what_a_killed_export_leaves(target: Path, unnamed: bool):
    """Nothing where files need no name; else a part, which the next export to the same path clears away."""
    subprocess.run([sys.executable, "-c", KILLED, str(target), "unnamed" if unnamed else "named"], check=False)
    left = [name for name in os.listdir(target.parent) if name != target.name]
    assert target.read_bytes() == b"what was there"
    assert len(left) == (0 if unnamed else 1)
    with atomic_write.atomic_write(target) as file:
        file.write(b"new")
    assert os.listdir(target.parent) == [target.name]
    assert target.read_bytes() == b"new"


def test_a_part_that_is_being_written_stays(target: Path, unnamed: bool):
    """Two exports to one path at once: each is whole, and neither clears the other's part away."""
    with atomic_write.atomic_write(target) as first:
        first.write(b"first")
        with atomic_write.atomic_write(target) as second:
            second.write(b"second")
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"
    assert os.listdir(target.parent) == [target.name]


def test_files_of_others_stay(target: Path):
    kept = [f".{target.name}.note.part", f".{target.name}.12345678.part.txt", f".other{target.name}.abcdefgh.part"]
    for name in kept:
        (target.parent / name).touch()
    with atomic_write.atomic_write(target) as file:
        file.write(b"new")
    assert sorted(os.listdir(target.parent)) == sorted([target.name, *kept])


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_permissions_are_those_of_what_was_there(target: Path, mode: int):
    target.chmod(mode)
    with atomic_write.atomic_write(target) as file:
        file.write(b"new")
    assert target.stat().st_mode & 0o777 == mode
