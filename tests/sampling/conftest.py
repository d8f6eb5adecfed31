"""What several files on sampling work with."""

import pytest
from msgspec.structs import replace

from mcviz.sampling import run_sampling


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several shards in few examples."""
    layout = run_sampling.layout_for
    monkeypatch.setattr(
        run_sampling, "layout_for", lambda *sizes: replace(layout(*sizes), examples_per_shard=8, examples_per_chunk=4)
    )


@pytest.fixture
def same_weights_every_time() -> None:
    """The Keras models of a test begin with the same random weights, whatever ran before."""
    import keras

    keras.utils.set_random_seed(1)
