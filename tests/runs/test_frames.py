"""A file of frames is taken for what it is, and for nothing else."""

from pathlib import Path

import pytest

from mcviz.errors import CorruptRunError
from mcviz.runs.frames import FrameFile, pack
from mcviz.runs.place import place_of

FRAMES = [b"first" * 10, b"", b"third"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place_of(tmp_path).write("file", pack("key", FRAMES))
    return tmp_path / "file"


def opened(file: Path, key: str = "key", count: int = 3) -> FrameFile:
    return FrameFile.open(place_of(file.parent), file.name, key, count)


def test_frames_come_back(file: Path) -> None:
    assert [opened(file).read(number, len(frame)) for number, frame in enumerate(FRAMES)] == FRAMES


def test_every_flipped_byte_and_every_cut_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    spoilt = [whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :] for at in range(len(whole)) for flip in (1, 255)]
    for content in spoilt + [whole[:at] for at in range(len(whole))]:
        file.write_bytes(content)
        with pytest.raises(CorruptRunError, match=str(file)):
            [opened(file).read(number, len(frame)) for number, frame in enumerate(FRAMES)]


@pytest.mark.parametrize(("key", "count"), [("another", 3), ("key", 2), ("key", 4), ("key", 10**12)])
def test_a_whole_file_of_something_else_is_not_taken_for_it(file: Path, key: str, count: int) -> None:
    with pytest.raises(CorruptRunError, match="its header does not match"):
        opened(file, key, count)


@pytest.mark.parametrize("expected", [4, 6, 1 << 40])
def test_a_frame_of_another_size_is_refused_before_it_takes_memory(file: Path, expected: int) -> None:
    with pytest.raises(CorruptRunError, match=str(file)):
        opened(file).read(2, expected)


def test_a_bomb_is_refused_before_it_takes_memory(file: Path) -> None:
    file.write_bytes(pack("key", [b"\0" * (1 << 27)]))
    assert file.stat().st_size < 20_000
    with pytest.raises(CorruptRunError, match="does not hold the 5 bytes"):
        opened(file, count=1).read(0, 5)
