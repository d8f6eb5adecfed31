"""Sets that are made of examples: as many of the same form, none an example as it was, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mcviz.data.pictures import convert_channels, resize_images
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS

RANDOM = np.random.default_rng(0)
TEXTS = np.array(
    ["the cat sat on the mat", "a small dog ran home", "one two three four", "birds fly south early"], object
)
EXAMPLES = {
    "image": RANDOM.random((4, 10, 14, 3), dtype=np.float32),
    "text": TEXTS,
    "row": RANDOM.normal(size=(4, 6)).astype(np.float32),
}
SETS = [(kind, name) for kind in EXAMPLES for name in KINDS[kind].ood_sets]


@pytest.mark.parametrize(("kind", "name"), SETS)
def test_a_set_has_the_form_of_its_examples_and_none_of_them(kind: str, name: str) -> None:
    examples, each = EXAMPLES[kind], KINDS[kind].ood_sets[name]
    ood_set = each.make(examples, examples[::-1], 1)
    assert (ood_set.shape, ood_set.dtype) == (examples.shape, examples.dtype)
    assert each.label
    if examples.dtype == object:
        assert all(isinstance(text, str) for text in ood_set)
        assert not set(ood_set) & set(examples)
    else:
        assert np.isfinite(ood_set).all()
        assert not (ood_set == examples).reshape(len(ood_set), -1).all(axis=1).any()
        assert kind != "image" or 0 <= ood_set.min() <= ood_set.max() <= 1, "images stay between black and white"
    np.testing.assert_array_equal(ood_set, each.make(examples, examples[::-1], 1))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_plain_numbers_of_an_example_do_not_depend_on_which_stand_beside_it(kind: str) -> None:
    examples = EXAMPLES[kind]
    together = KINDS[kind].compute_vectors(examples, examples)
    assert (together.ndim, together.dtype) == (2, np.float32)
    alone = np.concatenate([KINDS[kind].compute_vectors(examples[[place]], examples) for place in range(len(examples))])
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from([1, 3]))
@settings(max_examples=25, deadline=None)
def test_large_images_are_averaged_and_keep_their_brightness(height: int, width: int, channels: int) -> None:
    images = np.full((2, height, width, channels), 0.25, np.float32)
    vectors = KINDS["image"].compute_vectors(images, images)
    assert vectors.shape[1] <= 4096
    np.testing.assert_allclose(vectors, 0.25, rtol=1e-5)


@given(
    arrays.arrays(np.float32, (3, 7, 9, 2), elements=st.floats(0, 1, width=32)), st.integers(1, 12), st.integers(1, 12)
)
@settings(max_examples=25, deadline=None)
def test_a_resized_image_has_no_value_that_was_not_there(images: np.ndarray, height: int, width: int) -> None:
    found = resize_images(images, (height, width))
    assert found.shape == (3, height, width, 2)
    assert images.min() - 1e-5 <= found.min() <= found.max() <= images.max() + 1e-5
    np.testing.assert_array_equal(resize_images(images, (7, 9)), images)


def test_colours_become_grey_and_grey_becomes_colours() -> None:
    grey = RANDOM.random((2, 3, 4, 1), dtype=np.float32)
    coloured = convert_channels(grey, 3)
    assert coloured.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(convert_channels(coloured, 1), grey, rtol=1e-5)
    assert convert_channels(np.zeros((1, 2, 2, 4), np.float32), 3).shape == (1, 2, 2, 3)
    with pytest.raises(InvalidInputError, match=r"with 2 channels, as the run's are.*3 channels"):
        convert_channels(coloured, 2)
