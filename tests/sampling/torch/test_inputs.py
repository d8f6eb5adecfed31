"""Examples reach a PyTorch model as its user's transform makes them, and a run of them can be opened again."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mcviz
from mcviz.data import DataSet
from mcviz.errors import InvalidInputError, RunExistsError
from mcviz.runs import Preprocessing
from mcviz.runs.data_set import data_set_of
from mcviz.sampling import checking
from mcviz.sampling.adapters import adapter_for_run, load_shown
from mcviz.sampling.loading import load_run_sampler
from tests.requiring import require_torch

require_torch("safetensors")

import torch  # noqa: E402

from mcviz.sampling.torch.network import prepare_inputs  # noqa: E402
from tests.sampling.torch import package  # noqa: E402

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
ROWS = RNG.normal(5, 2, (12, 4)).astype(np.float32)
TEXTS = ["a cat", "two cats", "the third cat that is much longer than all others", ""] * 3
LABELS = np.arange(12) % 3
ENCODED = {name: [package.text_transform(text)[name] for text in TEXTS] for name in ("input_ids", "attention_mask")}


def stacked(transform: Callable[[Any], Any], examples: Any) -> np.ndarray:
    return np.stack([np.asarray(transform(example)) for example in examples])


@pytest.mark.parametrize(
    ("examples", "transform", "expected"),
    [
        (PICTURES, package.picture_transform, stacked(package.picture_transform, map(Image.fromarray, PICTURES))),
        (PICTURES[..., :1], lambda one: np.asarray(one, np.float64), PICTURES[..., 0].astype(np.float32)),
        (PICTURES[..., 0], lambda one: torch.tensor(one.getpixel((2, 3))), PICTURES[:, 3, 2, 0]),
        (
            [Image.fromarray(each) for each in PICTURES],
            lambda one: torch.tensor(one.getpixel((2, 3))),
            PICTURES[:, 3, 2],
        ),
        (ROWS, package.row_transform, (ROWS - 5) / 2),
        (DataSet(None, texts=np.array(TEXTS, object)), lambda text: [len(text), 1], [[len(text), 1] for text in TEXTS]),
    ],
)
def test_each_example_is_given_to_the_transform_as_it_is(examples: Any, transform: Any, expected: np.ndarray) -> None:
    (prepared,) = prepare_inputs(examples, transform).values()
    assert prepared.shape == np.shape(expected)
    assert prepared.dtype == np.float32 or prepared.dtype.kind in "iu"
    np.testing.assert_allclose(prepared[:], expected, rtol=1e-6)
    np.testing.assert_array_equal(prepared[np.array([7, 2])], prepared[:][[7, 2]])


@pytest.mark.parametrize("of", ["lists", "tensors", "batches of one"])
def test_a_dict_gives_inputs_by_name_with_the_axis_of_a_batch_or_without(of: str) -> None:
    def transform(text: str) -> dict[str, Any]:
        inputs = package.text_transform(text)
        if of == "lists":
            return inputs
        return {name: torch.tensor([each] if of == "batches of one" else each) for name, each in inputs.items()}

    prepared = prepare_inputs(TEXTS, transform)
    assert {name: rows[:].tolist() for name, rows in prepared.items()} == ENCODED


def test_only_what_is_read_is_transformed_and_by_one_thread_at_a_time() -> None:
    seen: list[str] = []
    busy = threading.Lock()

    def transform(text: str) -> np.ndarray:
        assert busy.acquire(blocking=False), "as the tokenizers of Hugging Face say"
        time.sleep(0.001)
        seen.append(text)
        busy.release()
        return np.ones(3, np.float32)

    rows = prepare_inputs([str(number) for number in range(1000)], transform)["examples"]
    assert len(seen) <= 16
    seen.clear()
    threads = [threading.Thread(target=rows.__getitem__, args=(slice(at, at + 3),)) for at in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["10", "11", "12", "20", "21", "22", "30", "31", "32"]


def flip(picture: Image.Image) -> torch.Tensor:
    pixels = package.picture_transform(picture)
    return pixels.flip(2) if torch.rand(()) < 0.5 else pixels


NOT_TAKEN = {
    "a random transform": (PICTURES, flip, "another result for the same example"),
    "texts of their own lengths": (TEXTS, lambda text: {"input_ids": [1] * (1 + len(text))}, "padding='max_length'"),
    "pictures of their own sizes": (PICTURES, lambda one: np.ones((3, 1 + one.getpixel((0, 0))[0] % 9)), r"Resize\("),
    "other inputs": (TEXTS, lambda text: {"long" if len(text) > 9 else "short": [1]}, "the same inputs of every"),
    "a transform that fails": (TEXTS, lambda _: 1 / 0, "The transform fails: ZeroDivisionError: division by zero"),
    "a transform of nothing": (TEXTS, lambda _: None, "should be numbers"),
    "NaN": (ROWS, lambda row: row * np.nan, "finite"),
    "fractions as pictures": (PICTURES / 255, package.picture_transform, "uint8 images, which the transform takes"),
    "texts without a transform": (TEXTS, None, "Give the transform that makes numbers of a text"),
    "no text": ([], package.text_transform, "at least one"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_cannot_be_prepared_is_told_in_one_line(name: str) -> None:
    examples, transform, message = NOT_TAKEN[name]
    with pytest.raises(InvalidInputError, match=message) as caught:
        _ = [rows[:] for rows in prepare_inputs(examples, transform).values()]
    assert "\n" not in str(caught.value)


FORMS = {
    "pictures with a transform": (PICTURES, "picture", True),
    "images": (torch.rand(12, 3, 8, 8), "picture", False),
    "texts with a transform": (TEXTS, "text", True),
    "rows with a transform": (ROWS, "row", True),
    "rows": (torch.rand(12, 4), "row", False),
    "token ids": (torch.tensor(ENCODED["input_ids"]), "text", False),
    "sequences": (torch.rand(12, 5, 4), "sequence", False),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.slow
def test_a_run_of_any_form_is_opened_and_grown_from_its_own_examples(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_IMPORT", "tests.sampling.torch.package")
    examples, model, prepares = FORMS[form]
    of = "tests.sampling.torch.package:" + model
    network = mcviz.load_torch(f"{of}_model", transform=f"{of}_transform" if prepares else None)
    data = (examples, LABELS)
    expected = mcviz.Sampler(network).sample(data, passes=6)
    run = mcviz.sample_run(network, data, tmp_path / "run", passes=3)
    np.testing.assert_allclose(run.probs_block(0, None), expected[:3], atol=1 / 65535)
    opened = load_run_sampler(run)  # which compares predictions, of the stored examples and by the model's own code
    shown = adapter_for_run(opened, run).from_inputs(load_shown(run, np.arange(12)))
    np.testing.assert_allclose(opened.sample(shown, passes=3), expected[:3], atol=1e-5)
    grown = mcviz.sample_run(opened, data_set_of(run), tmp_path / "run", passes=6)
    np.testing.assert_allclose(grown.probs_block(0, None), expected, atol=1 / 65535)


@pytest.mark.slow
def test_a_run_grows_by_the_same_transform_alone(tmp_path: Path) -> None:
    model, lowered = package.text_model(), lambda text: package.text_transform(text[1:])
    mcviz.sample_run(model, TEXTS, tmp_path / "run", passes=3, transform=package.text_transform)
    with pytest.raises(RunExistsError, match=r"differs in: .*transform"):
        mcviz.sample_run(model, TEXTS, tmp_path / "run", passes=6, transform=lowered)
    mcviz.sample_run(model, TEXTS, tmp_path / "run", passes=6, transform=package.text_transform)


@pytest.mark.slow
def test_a_run_of_arrays_by_name_grows_with_the_same_arrays_alone(tmp_path: Path) -> None:
    model = package.text_model()
    expected = mcviz.Sampler(model).sample(ENCODED, passes=6)
    for kind, data in (("none", ENCODED), ("text", {**ENCODED, "text": TEXTS})):
        run = mcviz.sample_run(model, data, tmp_path / kind, passes=3)
        assert run.manifest.examples.kind == kind
        with pytest.raises(RunExistsError, match="differs in: inputs of the model"):
            mcviz.sample_run(model, {**data, "attention_mask": np.ones((12, 16), int)}, tmp_path / kind, passes=6)
        run = mcviz.sample_run(model, data, tmp_path / kind, passes=6)
        np.testing.assert_allclose(run.probs_block(0, None), expected, atol=1 / 65535)


def test_a_check_says_what_reaches_the_model_and_a_transform_leaves_no_other_preprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SECONDS", 0)
    sampler = mcviz.Sampler(package.picture_model(), transform=package.picture_transform)
    findings = checking.check_model(sampler, (PICTURES, LABELS)).findings(100)
    assert findings["images"] == "16 × 16 × 3, uint8, 0 to 255"
    assert findings["inputs"] == "examples (3, 8, 8) float32"
    assert findings["preprocessing"] == "as they are. The transform is given them, and makes what the model takes."
    with pytest.raises(InvalidInputError, match="left out beside a transform"):
        mcviz.sample_run(sampler, PICTURES, tmp_path / "run", preprocessing=Preprocessing(255.0))
    with pytest.raises(InvalidInputError, match="uint8 images or pictures, which the transform takes"):
        mcviz.sample_run(sampler, PICTURES / np.float32(255), tmp_path / "run")
