"""A file appears whole or not at all: whatever goes wrong, what stood there before is left as it was."""

import errno
import os

import pytest
from encoder_tui.engine import InputError, save, snapshot_file
from encoder_tui.engine.value import Value


@pytest.fixture(params=["out.safetensors", "out.npz"])
def target(request, tmp_path):
    """A file of another content, alone in its directory."""
    path = tmp_path / request.param
    path.write_bytes(b"what was there")
    return path


def assert_untouched(target):
    assert target.read_bytes() == b"what was there"
    assert os.listdir(target.parent) == [target.name]


def failing(error, after):
    read, left = Value.read, [after]

    def fails(self, *args):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return read(self, *args)

    return fails


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory"), InputError("no")], ids=repr)
def test_when_a_value_fails_midway(small, target, error, monkeypatch):
    from encoder_tui.engine.run import RunValue

    run, calls, read = small.run("one"), [], RunValue.read

    def fails(self, *args):
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

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


@pytest.mark.parametrize("room", [0, 5_000])
def test_when_the_disk_is_full(small, target, room, monkeypatch):
    opened = os.fdopen
    monkeypatch.setattr(snapshot_file.os, "fdopen", lambda *args: FullDisk(opened(*args), room))
    with pytest.raises(InputError, match=r"cannot write .*No space left on device"):
        save(small.run("one two three four"), target)
    monkeypatch.undo()
    assert_untouched(target)


def test_when_renaming_fails(small, target, monkeypatch):
    def refuse(self, other):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(InputError, match="Operation not permitted"):
        save(small.run("one"), target)
    monkeypatch.undo()
    assert_untouched(target)


def test_when_the_directory_cannot_be_written(small, target, monkeypatch):
    """Root may write anywhere, so the refusal is simulated."""

    def refuse(*args, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(snapshot_file.tempfile, "mkstemp", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        save(small.run("one"), target)
    assert_untouched(target)


def test_it_does_replace_when_all_goes_well(small, target):
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
def test_paths_that_cannot_be_written(small, tmp_path, path, says):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        save(small.run("one"), path if path.startswith("~") else tmp_path / path, "tokens.ids")
    assert says in str(error.value)
