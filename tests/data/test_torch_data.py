"""Data for PyTorch are one data set, however people hold them: tensors, Datasets, loaders, arrays by name."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mcviz.data import as_data_set, as_examples
from mcviz.errors import InvalidInputError
from tests.requiring import require_torch

require_torch("safetensors")

import torch  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from mcviz.sampling.torch.network import prepare_inputs  # noqa: E402

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (10, 6, 5, 3), dtype=np.uint8)
UNIT = torch.from_numpy(np.moveaxis(BYTES, -1, 1) / np.float32(255))
LABELS = torch.arange(10) % 3
IDS, MASK = torch.randint(1, 99, (10, 7)), torch.ones(10, 7, dtype=torch.int64)
TEXTS = [f"text {number}" for number in range(10)]


class Items(torch.utils.data.Dataset):
    """A Dataset of what a function gives for a place."""

    classes = ("ant", "bee", "cat")

    def __init__(self, item: Callable[[int], Any], count: int = 10) -> None:
        self.item, self.count = item, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return self.item(place)


def image(place: int) -> tuple[Any, int]:
    return UNIT[place], int(LABELS[place])


def picture(place: int) -> tuple[Any, int]:
    return Image.fromarray(BYTES[place]), int(LABELS[place])


IMAGES = {
    "tensors": (UNIT, LABELS),
    "a tensor that tracks gradients": (UNIT.clone().requires_grad_(), LABELS.tolist()),
    "TensorDataset": TensorDataset(UNIT, LABELS),
    "Dataset": Items(image),
    "loader": DataLoader(TensorDataset(UNIT, LABELS), batch_size=4),
    "loader of one at a time": DataLoader(Items(image), batch_size=None),
    "loader with a collate function": DataLoader(
        Items(lambda place: (place, place % 3)),
        batch_size=3,
        collate_fn=lambda some: (UNIT[[place for place, _ in some]], [label for _, label in some]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", IMAGES)
def test_images_come_with_their_labels_in_the_order_of_the_data(how: str) -> None:
    held = as_data_set(IMAGES[how])
    assert (held.kind, held.inputs) == ("image", None)
    np.testing.assert_array_equal(held.images[:], np.moveaxis(UNIT.numpy(), 1, -1))
    np.testing.assert_array_equal(held.labels, LABELS)
    assert held.class_names == (
        Items.classes if how in ("Dataset", "loader of one at a time") or "collate" in how else None
    )
    np.testing.assert_array_equal(held.take(np.array([7, 2])).slice_for_worker(1, 2).images[:], held.images[2:3])
    np.testing.assert_array_equal(prepare_inputs(IMAGES[how], None)["examples"][:], UNIT)


def test_pictures_of_a_dataset_are_read_when_they_are_indexed() -> None:
    read: list[int] = []
    held = as_data_set(Items(lambda place: read.append(place) or picture(place)))
    read.clear()
    np.testing.assert_array_equal(held.images[3:5], BYTES[3:5])
    assert read == [3, 4]


@given(st.integers(1, 3), st.sampled_from([1, 3, 4]), st.integers(1, 5), st.integers(1, 5))
def test_a_tensor_that_is_shown_as_images_reaches_the_model_as_it_was(n: int, c: int, height: int, width: int) -> None:
    tensor = torch.rand(n, c, height, width)
    images = as_data_set(tensor).images[:]
    assert images.shape == (n, height, width, c)
    np.testing.assert_array_equal(prepare_inputs(images, None)["examples"], tensor)


@pytest.mark.parametrize(
    ("tensor", "kind", "is_shown"),
    [
        (torch.rand(10, 4), "row", True),
        (IDS, "row", False),
        (torch.rand(10, 7, 4), "image", False),
        (torch.rand(10, 6, 5, 3), "image", False),
        (torch.rand(10, 2, 6, 5), "none", False),
        (torch.rand(10, 3, 2, 6, 5), "none", False),
    ],
)
def test_a_tensor_that_is_no_image_reaches_the_model_as_it_is(tensor: Any, kind: str, is_shown: bool) -> None:
    held = as_data_set((tensor, LABELS))
    assert (held.kind, len(held), held.inputs is None) == (kind, 10, is_shown)
    for prepared in (prepare_inputs(held, None), prepare_inputs((tensor, LABELS), None)):
        np.testing.assert_array_equal(prepared["examples"], tensor)
        assert prepared["examples"].dtype == tensor.numpy().dtype


COLUMNS = {"input_ids": IDS, "attention_mask": MASK, "text": TEXTS, "labels": LABELS, "source": list("aabbccddee")}


class HuggingFace:
    """What is used of a `datasets.Dataset`."""

    def __init__(self) -> None:
        self._table = pa.table({name: each.tolist() if name in ("input_ids", "attention_mask", "labels") else each
                                for name, each in COLUMNS.items()})  # fmt: skip
        self.column_names = self._table.column_names
        self.features = {"labels": SimpleNamespace(names=["ant", "bee", "cat"])}

    def with_format(self, kind: str) -> "HuggingFace":
        assert kind == "arrow"
        return self

    def __len__(self) -> int:
        return 10

    def __getitem__(self, rows: slice) -> pa.Table:
        return self._table[rows]


def item(place: int) -> dict[str, Any]:
    return {name: each[place] for name, each in COLUMNS.items()}


NAMED = {
    "arrays": COLUMNS,
    "arrays and labels": ({name: each for name, each in COLUMNS.items() if name != "labels"}, LABELS),
    "Dataset": Items(item),
    "loader": DataLoader(Items(item), batch_size=4),
    "Hugging Face": HuggingFace(),
}


@pytest.mark.parametrize("how", NAMED)
def test_arrays_by_name_are_the_model_s_inputs_and_texts_are_shown(how: str) -> None:
    held = as_data_set(NAMED[how])
    assert (held.kind, held.texts.tolist(), held.columns.columns.tolist()) == ("text", TEXTS, ["source"])
    np.testing.assert_array_equal(held.labels, LABELS)
    assert held.class_names == (("ant", "bee", "cat") if how == "Hugging Face" else None)
    for some, places in (
        (held, range(10)),
        (held.take(np.array([8, 3])), [8, 3]),
        (held.slice_for_worker(4, 6), [4, 5]),
    ):
        prepared = prepare_inputs(some, None)
        assert list(prepared) == ["input_ids", "attention_mask"]
        np.testing.assert_array_equal(prepared["input_ids"], IDS[list(places)])
        np.testing.assert_array_equal(prepared["attention_mask"], MASK[list(places)])


def test_labels_that_are_names_meet_the_classes_of_a_dataset_by_name() -> None:
    held = as_data_set(Items(lambda place: (UNIT[place], "cat" if place else "bee")))
    assert (held.class_names, held.labels.tolist()) == (Items.classes, [1] + [2] * 9)


def test_labels_do_not_matter_where_only_the_examples_are_wanted() -> None:
    numbers = np.linspace(0, 1, 10)
    assert as_examples({"input_ids": IDS, "label": numbers}).labels is None
    assert as_examples(Items(lambda place: (UNIT[place], numbers[place]))).labels is None
    np.testing.assert_allclose(
        as_data_set(Items(lambda place: (UNIT[place], numbers[place])), "regression").labels[:, 0], numbers
    )


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(UNIT)


def fail(place: int) -> Any:
    raise OSError(f"no file {place}")


NOT_TAKEN = {
    "a loader that shuffles": (DataLoader(TensorDataset(UNIT), shuffle=True), "Received: RandomSampler. Leave out"),
    "a loader with batches of its own": (
        DataLoader(TensorDataset(UNIT), batch_sampler=[[1, 0], [2, 3]]), "in order. Received: list"
    ),
    "a Dataset that draws": (Items(lambda _: torch.rand(3, 6, 5)), "example 0 the second time. Leave out what"),
    "a Dataset of texts that draws": (
        Items(lambda _: {"input_ids": torch.randint(0, 99, (7,))}), "another example 0 the second time"
    ),
    "a stream": (DataLoader(Stream()), "in order. Received: _InfiniteConstantSampler"),
    "an empty Dataset": (TensorDataset(UNIT[:0]), "at least one example. Received: TensorDataset of none"),
    "a Dataset whose third parts are no ids": (
        Items(lambda place: (UNIT[place], 1, 2)), "different texts, one an example. Received: 10, 1 of them different"
    ),
    "a Dataset that fails": (Items(fail), "Example 0 of the Dataset cannot be read: no file 0"),
    "images of two sizes": (Items(lambda place: UNIT[place, :, : 4 + place % 2]), r"example 1\. .* Resize"),
    "texts of several lengths": (
        {"input_ids": [[1, 2], [1]]}, "`input_ids` should be one array.* padding='max_length'"
    ),
    "arrays of different numbers": ({"input_ids": IDS, "mask": MASK[:9]}, r"input_ids \(10, 7\), mask \(9, 7\)"),
    "columns alone": ({"text": TEXTS, "labels": LABELS}, "by the names of the model's inputs, such as input_ids"),
    "nothing by name": ({}, "by the names of the model's inputs. Received: none"),
    "texts as inputs": ({"input_ids": np.full((2, 3), "a")}, "should be numbers by the names"),
    "a tensor that NumPy has not": (UNIT.bfloat16(), r"BFloat16.* Call float\(\)"),
    "an empty tensor": (torch.rand(0, 3, 6, 5, 2), "at least one example"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_not_taken_is_told_in_one_line(name: str) -> None:
    data, message = NOT_TAKEN[name]
    with pytest.raises(InvalidInputError, match=message) as caught:
        as_data_set(data)
    assert "\n" not in str(caught.value)


ITEMS: dict[str, Callable[[int], Any]] = {
    "a dict": lambda place: {"image": UNIT[place], "label": LABELS[place], "id": f"a{place}"},
    "a dict and a label": lambda place: ({"pixel_values": UNIT[place], "id": f"a{place}"}, LABELS[place]),
    "three parts": lambda place: (UNIT[place], int(LABELS[place]), f"a{place}"),
}


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("form", ITEMS)
def test_items_of_one_image_are_shown_and_keep_their_ids(form, batched):
    data = Items(ITEMS[form])
    held, pair = as_data_set(DataLoader(data, 3) if batched else data), as_data_set(Items(image))
    assert held.ids == tuple(f"a{place}" for place in range(10))
    np.testing.assert_array_equal(held.pixels, pair.pixels)
    np.testing.assert_array_equal(held.labels, pair.labels)
    assert (held.kind, held.class_names, held.inputs) == ("image", Items.classes, None)


def test_other_values_of_a_dict_are_columns_of_one_s_own_and_several_arrays_are_inputs():
    picture = Image.fromarray(BYTES[0])
    held = as_data_set(Items(lambda place: {"image": picture, "site": "xy"[place % 2], "age": torch.tensor(place)}))
    assert held.pixels.shape == BYTES.shape
    assert held.labels is None
    assert held.columns.to_dict("list") == {"site": list("xyxyxyxyxy"), "age": list(range(10))}
    inputs = as_data_set(Items(lambda place: {"image": UNIT[place], "mask": MASK[place], "id": place + 5})).inputs
    assert inputs.dtype.names == ("image", "mask")
