"""A run is gone on with, given more passes, or left alone; and always ends as if it had never been stopped."""

import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, RunExistsError, RunNotFoundError
from mcviz.runs import Images, Layer, Model, Preprocessing, open_run, verify_run
from mcviz.runs.tables import Contents
from mcviz.runs.writer import _Writer, write
from tests.runs.making import (
    FORMS,
    MODEL_FILE,
    MadeUpSource,
    contents,
    files_below,
    made_up,
    make,
    make_partial,
    numbers,
    some_images,
    some_labels,
    wanted,
)


def test_growing_leaves_a_table_of_examples_alone_that_another_pyarrow_writes_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = numbers(make(tmp_path / "run", kind="text"))
    write_table = pq.write_table
    monkeypatch.setattr(pq, "write_table", lambda table, file, **_: write_table(table, file, compression="none"))
    make_partial(tmp_path / "run", kind="text", passes=10, predictions=30)
    assert numbers(open_run(tmp_path / "run")) == before
    assert verify_run(tmp_path / "run")
    grown = make(tmp_path / "run", kind="text", passes=10)
    assert verify_run(tmp_path / "run")
    assert grown.content["text"].tolist() == make(tmp_path / "whole", kind="text", passes=10).content["text"].tolist()


def test_a_run_of_more_files_than_can_be_listed_is_refused_before_anything_is_written(
    finished_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (finished_runs["classes of images"] / "manifest.json").stat().st_size
    monkeypatch.setattr("mcviz.runs.manifest_file.MAX_MANIFEST_BYTES", size // 2)
    with pytest.raises(InvalidInputError, match="more files than its manifest can list"):
        make(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("mcviz.runs.manifest_file.MAX_MANIFEST_BYTES", 2 * size)
    make(tmp_path / "run")


images, labels = some_images(), some_labels()
base = wanted(images, labels)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        (r"passes \(6 there, 5 asked for\)", {"passes": 5}),
        (r"seed \(5 there, 6 asked for\)", {"seed": 6}),
        (r"masks \(per_pass there, per_example asked for\)", {"masks": "per_example"}),
        ("examples", {"examples": replace(base.examples, sha256="0" * 64)}),
        (r"labels \(.* there, 0000", {"labels_sha256": "0" * 64}),
        ("model", {"model": replace(base.model, sha256="0" * 64)}),
        (
            r"output of the model \(\[None, None\] there, \['digit', None\] asked",
            {"model": replace(base.model, output="digit")},
        ),
        (
            r"output of the model \(\[None, None\] there, \[None, True\] asked",
            {"model": replace(base.model, from_logits=True)},
        ),
        (
            r"stochastic layers \(.*0\.5.* there, .*0\.25.* asked for\)",
            {"origin": replace(base.origin, stochastic_layers=(Layer("dropout", "Dropout", 0.25),))},
        ),
        ("origin", {"origin": replace(base.origin, draw_scheme=2)}),
        ("preprocessing", {"preprocessing": Preprocessing(255.0)}),
    ],
)
def test_a_run_that_differs_in_anything_is_neither_opened_nor_touched(
    finished_run: Path, what: str, change: dict[str, object]
) -> None:
    before = files_below(finished_run)
    with pytest.raises(RunExistsError, match=f"Another finished run .* differs in: {what}"):
        make(finished_run, **change)
    assert files_below(finished_run) == before
    assert replace(base, **change).digest != base.digest


def test_how_it_was_made_and_where_the_images_came_from_are_no_part_of_the_identity() -> None:
    other = replace(
        base,
        created={"versions": {"numpy": "9"}},
        about={"licence": "MIT"},
        class_names=("x", "y", "z"),
        images=replace(base.images, stored=False),
        model=Model("other name", base.model.sha256, False),
    )
    assert other.digest == base.digest


def test_all_versions_that_took_part_are_named(tmp_path: Path) -> None:
    make_partial(tmp_path / "run", predictions=30, created={"versions": {"numpy": "2.1", "keras": "3.13"}})
    created = make(tmp_path / "run", created={"versions": {"numpy": "2.4", "keras": "3.13"}}).manifest.created
    assert created["versions"] == {"numpy": "2.1, 2.4", "keras": "3.13"}
    assert created["started"] <= created["finished"]


def test_stopped_later_what_is_done_stays_and_nothing_else(tmp_path: Path) -> None:
    make_partial(tmp_path / "run", predictions=30)
    assert files_below(tmp_path / "run").keys() == {
        "manifest.json",
        "model.keras",
        "predictions.zarr/label/zarr.json",
        "predictions.zarr/label/c.0",
        "predictions.zarr/images/zarr.json",
        "predictions.zarr/images/c.0.0.0.0",
        "predictions.zarr/images/c.1.0.0.0",
        "predictions.zarr/probs/zarr.json",
        "predictions.zarr/probs/c.0.0.0",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_no_part_is_made_again_of_a_run_that_was_moved_and_it_can_be_gone_on_with(tmp_path: Path) -> None:
    def move(done: int, _: int) -> None:
        if done > 30 and (tmp_path / "run").exists():
            (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(RunNotFoundError, match="was moved or removed while it was written"):
        make(tmp_path / "run", progress=move)
    assert not files_below(tmp_path / "run")
    assert numbers(make(tmp_path / "moved")) == numbers(make(tmp_path / "whole"))


def test_growing_that_is_stopped_before_its_first_shard_leaves_all_else_as_it_was(finished_run: Path) -> None:
    open_run(finished_run).add_score("speed", range(11), high_is_uncertain=True)
    make_partial(finished_run, passes=10, predictions=30)
    before = files_below(finished_run.parent)
    make_partial(finished_run, passes=12, predictions=0)
    assert files_below(finished_run.parent) == before


def test_what_a_finished_run_lost_is_not_sealed_by_growing(finished_run: Path, tmp_path: Path) -> None:
    make(tmp_path / "whole", passes=10)
    for name in ("predictions.zarr/label/c.0", "predictions.zarr/images/c.1.0.0.0"):
        file = tmp_path / "run" / name
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    make(tmp_path / "run", passes=10)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    for name in ("model.keras", "predictions-10.zarr/probs/c.1.0.0"):
        file = tmp_path / "run" / name
        whole = file.read_bytes()
        file.write_bytes(whole[:90] + b"?" + whole[91:])
        with pytest.raises(CorruptRunError, match=name):
            make(tmp_path / "run", passes=12)
        file.write_bytes(whole)
    assert numbers(open_run(tmp_path / "run")) == numbers(open_run(tmp_path / "whole"))


@pytest.mark.parametrize("then_kept", [True, False])
def test_resumed_with_another_wish_for_what_is_kept(tmp_path: Path, then_kept: bool) -> None:
    for moment in (30, 60):
        out = tmp_path / f"run-{moment}"
        make_partial(out, predictions=moment, keep=not then_kept)
        run = make(out, keep=then_kept)
        assert run.has_images
        assert run.model_path is not None
        assert verify_run(out).files == 20


def test_killed_before_the_model_was_written_and_resumed_without_it(tmp_path: Path) -> None:
    make_partial(tmp_path / "run", predictions=30)
    (tmp_path / "run/model.keras").unlink()
    assert make(tmp_path / "run", keep=False).model_path is None
    assert verify_run(tmp_path / "run").files == 19


def test_files_that_are_not_a_runs_stay(finished_run: Path) -> None:
    (finished_run / "README.md").write_text("where this came from")
    make(finished_run, passes=8)
    assert (finished_run / "README.md").read_text() == "where this came from"


@pytest.mark.parametrize(
    "name", ["model.keras", "holiday.jpg", "another run/manifest.json", "predictions.zarr/holiday.jpg"]
)
def test_a_folder_with_anything_of_somebodys_own_is_not_made_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(RunExistsError, match=f"holds {name} but no run.* Choose a new one, such as {tmp_path}/run"):
        make(tmp_path)
    assert files_below(tmp_path) == {name: b"mine"}


def test_what_a_writer_leaves_that_was_killed_over_its_first_file_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.manifest.json.0123456789ab.tmp").write_bytes(b"{")
    (tmp_path / ".run.lock").touch()
    assert make(tmp_path / "run").manifest.state == "finished"
    assert [path.name for path in (tmp_path / "run").glob(".*")] == []


def test_begun_anew_what_is_somebodys_own_stays(tmp_path: Path) -> None:
    make_partial(tmp_path / "run", predictions=30)
    (tmp_path / "run/predictions.zarr/holiday.jpg").write_bytes(b"mine")
    make(tmp_path / "run", resume=False)
    assert (tmp_path / "run/predictions.zarr/holiday.jpg").read_bytes() == b"mine"


class Bad(MadeUpSource):
    def __init__(self, spoil) -> None:
        super().__init__(some_images(), 3, 5)
        self.spoil = spoil

    def passes(self, *arguments):
        return self.spoil(super().passes(*arguments))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda probs: probs * np.nan,
        lambda probs: probs * 2,
        lambda probs: probs - 0.5,
        lambda probs: probs.astype(np.float64),
        lambda probs: probs.astype(object),
        lambda probs: probs[:-1],
    ],
)
def test_numbers_that_are_no_probabilities_are_refused(tmp_path: Path, spoil) -> None:
    with pytest.raises(InvalidInputError, match=r"Passes to be kept should be .* Received: "):
        make(tmp_path / "run", source=Bad(spoil))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values * np.nan,
        lambda values: values * np.inf,
        lambda values: np.where(np.arange(6) == 5, 0, values).astype(np.float32),
        lambda values: -values,
        lambda values: values.astype(np.float64),
        lambda values: values[..., :-1],
    ],
)
def test_numbers_that_are_no_values_with_variances_are_refused(tmp_path: Path, spoil) -> None:
    form = FORMS["three targets with variances"]
    source = made_up(form)
    sampled = source.passes
    source.passes = lambda *arguments: spoil(sampled(*arguments))
    with pytest.raises(InvalidInputError, match=r"(Passes to be kept|Predicted variances) should be .* Received: "):
        make(tmp_path / "run", **form, source=source)
    assert list(tmp_path.iterdir()) == []


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    objects = some_images().astype(object)
    described = Images((4, 3, 1), "object", 0, 255, True)
    for manifest in (replace(base, images=described), base):
        with pytest.raises(InvalidInputError, match="object"):
            write(tmp_path / "run", manifest, Contents(MadeUpSource(images, 3, 5), objects, labels, model=MODEL_FILE))
    assert list(tmp_path.iterdir()) == []


def test_listing_a_file_takes_as_long_however_many_are_listed() -> None:
    class Nowhere:
        def write(self, name: str, data: bytes) -> None:
            pass

    def seconds(listed: int) -> float:
        """For a hundred more files."""
        writer = _Writer(Nowhere(), wanted(some_images(), some_labels()), None, None, None, None)
        for number in range(listed):
            writer._write(f"{number}", b"")
        started = time.process_time()
        for number in range(100):
            writer._write(f"more {number}", b"")
        return time.process_time() - started

    assert min(seconds(5_000) for _ in range(5)) < 5 * min(seconds(50) for _ in range(5))
