"""A run can be sampled again from itself: by its options its own model gives the same run, of any kind and task."""

import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace as replaced

import mcviz
from mcviz.cli import main
from mcviz.data import DataSet, LazyRows
from mcviz.errors import CorruptRunError, McvizError, RunNotFoundError, StorageError
from mcviz.jobs.of_run import can_be_sampled, check_kept_model, options_of_data, options_of_model, options_of_more
from mcviz.options import format_arguments
from mcviz.runs import Preprocessing, data_set
from mcviz.runs.arrays import ArrayReader
from mcviz.runs.data_set import data_set_of
from tests.cases import one_in
from tests.factories import dropout_network
from tests.runs.making import contents
from tests.sampling.fake import FakeNetwork, make_arrays

COUNT = 12
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)
COLUMNS = pd.DataFrame({"source": ["a", "b"] * (COUNT // 2), "age": np.arange(COUNT) / 4})
UNUSUAL = pd.DataFrame({"gaps": pd.array([1, None] * (COUNT // 2), "Int64"), "tags": [["a", "b"]] * COUNT})
ROWS = pd.DataFrame(RNG.normal(size=(COUNT, 4)), columns=list("abcd"), dtype=np.float32)
TEXTS = np.array([f"a good film, number {number}" for number in range(COUNT)], object)
LABELS = np.arange(COUNT) % 3
NORMALISED = Preprocessing(127.5, (1.0, 0.9, 1.1), (0.5, 0.6, 0.7), "bgr", reason="As asked for.")


def of_images() -> keras.Model:
    return dropout_network((6, 5, 3), hidden=8, classes=3)


def of_texts() -> keras.Model:
    words = keras.layers.TextVectorization(vocabulary=["good", "film", "number"], output_mode="multi_hot")
    return dropout_network((), words, hidden=8, classes=3, dtype="string")


def of_rows(classes: int = 3, activation: str | None = "softmax") -> keras.Model:
    return dropout_network((4,), hidden=8, classes=classes, activation=activation)


def fake(**options) -> FakeNetwork:
    """A network for runs whose model is not asked for by its file."""
    return FakeNetwork(make_arrays(IMAGES.shape[1:], 3, **options))


CASES = {
    "images": (of_images, DataSet(IMAGES, LABELS), {}),
    "fractions": (of_images, DataSet(IMAGES.astype(np.float32) / 255, None, ids=tuple(map(str, range(COUNT)))), {}),
    "normalised": (of_images, DataSet(IMAGES, LABELS, ("x", "y", "z")), {"preprocessing": NORMALISED}),
    "prepared before": (
        of_images,
        DataSet(RNG.normal(size=IMAGES.shape).astype(np.float32)),
        {"preprocessing": replaced(NORMALISED, applied=True)},
    ),
    "texts": (of_texts, DataSet(None, LABELS, texts=TEXTS, columns=COLUMNS), {}),
    "texts of a table": (of_texts, DataSet(None, texts=TEXTS, columns=COLUMNS[[]]), {}),
    "rows": (
        of_rows,
        DataSet(None, LABELS, rows=ROWS, ids=tuple("abcdefghijkl"), columns=COLUMNS),
        {"preprocessing": Preprocessing(1.0, (0.1, -0.2, 0.3, 1e-9), (1.0, 2.0, 3.0, 0.1))},
    ),
    "columns that come back otherwise": (of_rows, DataSet(None, LABELS, rows=ROWS, columns=UNUSUAL), {}),
    "at another rate": (of_rows, DataSet(None, LABELS, rows=ROWS), {"rate": 0.2}),
    "a regression": (
        lambda: of_rows(4, None),
        DataSet(None, RNG.normal(size=(COUNT, 2)), rows=ROWS, target_names=("high", "low")),
        {"task": "regression", "predicts": "mean,log_variance", "unit": "mg/dl"},
    ),
}  # fmt: skip


def test_more_passes_of_a_segmentation_take_its_background_and_ignored_value(tmp_path: Path) -> None:
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(keras.layers.Dropout(0.4)(inputs)))
    given = RNG.random((3, 4, 4, 1), np.float32), np.full((3, 4, 4), 7, np.uint8) * (np.arange(4) > 0)
    how = {"task": "segmentation", "background": None, "ignore": 7}
    run = mcviz.sample_run(model, given, tmp_path / "run", passes=2, tried=lambda _: None, **how)
    masks = options_of_more(run, seed=1, passes=2).masks_mean
    assert (masks.background_number, masks.ignore_number) == (None, 7)


@pytest.mark.parametrize("case", one_in(12, CASES))
def test_sampled_again_from_itself_with_more_passes_a_run_grows_as_it_does_from_its_data(
    tmp_path: Path, case: str
) -> None:
    make, data, options = CASES[case]
    model = make()
    if rate := options.get("rate"):
        model, options = mcviz.Sampler(model, rate=rate), {}
    run = mcviz.sample_run(model, data, tmp_path / "run", passes=3, seed=5, masks="per_example", **options)
    assert can_be_sampled(run)
    again = [*format_arguments(*options_of_model(run), options_of_data(run)), "--seed=5", "--masks=per_example"]
    assert main(["sample", *again, "--passes=5", f"--out={run.path}"]) == 0
    expected = mcviz.sample_run(model, data, tmp_path / "whole", passes=5, seed=5, masks="per_example", **options)
    assert mcviz.open_run(run.path).digest == expected.digest
    grown, whole = contents(tmp_path / "run"), contents(tmp_path / "whole")
    for files in (grown, whole):
        files.pop("model.keras")  # a zip, with the time at which it was saved
    assert grown == whole


def test_new_examples_are_read_for_the_task_of_the_run_whose_model_is_taken(tmp_path: Path) -> None:
    make, data, options = CASES["a regression"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=3, **options)
    np.savez(tmp_path / "new.npz", x=ROWS.to_numpy()[:5], y=RNG.normal(size=(5, 2)))
    again = ["sample", f"--model={run.path}", f"--data={tmp_path / 'new.npz'}", "--passes=3"]
    assert main([*again, f"--out={tmp_path / 'new'}"]) == 0
    sampled = mcviz.open_run(tmp_path / "new")
    assert (sampled.manifest.task, sampled.manifest.predicts) == ("regression", "mean,log_variance")
    assert sampled.labels.shape == (5, 2)


def test_some_of_a_run_s_examples_keep_what_is_known_of_them(tmp_path: Path) -> None:
    make, data, options = CASES["rows"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=3, **options)
    (tmp_path / "these.txt").write_text("7\n2\n5\n")
    command = ["sample", *format_arguments(*options_of_model(run), options_of_data(run)), "--passes=3"]
    for only, out in ((f"{tmp_path}/these.txt", "by file"), ("7,2,5", "by number")):
        assert main([*command, f"--only={only}", f"--out={tmp_path / out}"]) == 0
        sampled = mcviz.open_run(tmp_path / out)
        assert sampled.columns.to_dict("list") == run.columns.iloc[[7, 2, 5]].to_dict("list")
        assert sampled.labels.tolist() == run.labels[[7, 2, 5]].tolist()
        assert sampled.scores()["id"].tolist() == ["h", "c", "f"]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("12", "--only should name some of the 12 examples, counted from 0. Received: 12."),
        ("1,1", "at least one number, each once"),
        ("-1", "expected numbers such as 3,1,4"),
        ("nowhere.txt", "expected numbers such as 3,1,4, or a file with one a line, received 'nowhere.txt'"),
    ],
)
def test_examples_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], only: str, message: str
) -> None:
    rows = tmp_path / "rows.npz"
    np.savez(rows, x=ROWS.to_numpy())
    of_rows().save(tmp_path / "model.keras")
    arguments = ["sample", f"--model={tmp_path}/model.keras", f"--data={rows}", f"--out={tmp_path}/run"]
    assert main([*arguments, f"--only={only}"]) == 2
    assert message in capsys.readouterr().err


def test_what_was_not_kept_cannot_be_sampled_again(tmp_path: Path) -> None:
    run = mcviz.sample_run(fake(), IMAGES, tmp_path / "run", passes=2, keep_images=False, keep_model=False)
    assert not can_be_sampled(run)
    for of in (options_of_model, options_of_data, data_set_of):
        with pytest.raises(McvizError, match="kept without its"):
            of(run)


def test_a_kept_model_that_was_changed_is_not_sampled(tmp_path: Path) -> None:
    run = mcviz.sample_run(fake(), IMAGES, tmp_path / "run", passes=2)
    check_kept_model(run)
    (tmp_path / "run" / "model.keras").write_bytes(fake(seed=1).save())
    with pytest.raises(CorruptRunError, match=r"model\.keras"):
        check_kept_model(run)


def test_images_of_a_run_stay_there_and_are_read_of_what_it_is_by_then(tmp_path: Path, monkeypatch) -> None:
    model, data = fake(), DataSet(IMAGES, LABELS)
    run = mcviz.sample_run(model, data, tmp_path / "run", passes=3)
    rows: list[int] = []
    read = ArrayReader.take
    monkeypatch.setattr(
        ArrayReader, "take", lambda self, name, places: rows.append(len(places)) or read(self, name, places)
    )
    monkeypatch.chdir(tmp_path)
    images = data_set_of(mcviz.open_run("run")).images
    assert isinstance(images, LazyRows)
    monkeypatch.chdir("/")
    sent = pickle.dumps(images.take(range(2, 9)))
    assert len(sent) < 1500
    np.testing.assert_array_equal(pickle.loads(sent)[3:5], IMAGES[5:7])  # noqa: S301
    np.testing.assert_array_equal(images.take(np.array([7, 2]))[:], IMAGES[[7, 2]])
    assert rows == [2, 2]
    monkeypatch.undo()
    mcviz.sample_run(model, data, run.path, passes=1000, in_stages=True)
    np.testing.assert_array_equal(images, IMAGES)
    shutil.rmtree(run.path)
    mcviz.sample_run(model, DataSet(255 - IMAGES), run.path, passes=3)
    data_set._opened.cache_clear()  # as in another process
    with pytest.raises(RunNotFoundError, match="was replaced by a run of other examples"):
        images[0]
    shutil.rmtree(run.path)
    mcviz.sample_run(model, data, run.path, passes=3)
    np.testing.assert_array_equal(images[0], IMAGES[0])
    shutil.rmtree(run.path)
    data_set._opened.cache_clear()
    with pytest.raises(RunNotFoundError):
        images[0]


def test_images_of_a_run_that_are_damaged_are_not_sampled(tmp_path: Path) -> None:
    run = mcviz.sample_run(fake(), IMAGES, tmp_path / "run", passes=3)
    images = data_set_of(run).images
    (file,) = (tmp_path / "run" / run.manifest.store / "images").glob("c.*")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptRunError):
        images[0]
    file.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="it is a symbolic link"):
        images[0]


def test_a_run_grows_in_stages_by_its_own_images(tmp_path: Path) -> None:
    model, data = fake(), DataSet(IMAGES, LABELS)
    run = mcviz.sample_run(model, data, tmp_path / "run", passes=3, seed=5)
    grown = mcviz.sample_run(model, data_set_of(run), run.path, passes=2000, seed=5, in_stages=True)
    assert grown.passes == 2000
    assert mcviz.verify_run(grown.path)
    np.testing.assert_array_equal(grown.images, IMAGES)
