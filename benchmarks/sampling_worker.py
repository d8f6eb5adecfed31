"""A process of `sampling.py` that samples with one version of mcviz: it reads jobs line by line, and answers each.

PYTHONPATH=ROOT python benchmarks/sampling_worker.py REFERENCE

ROOT is the folder of the version, REFERENCE a folder with the reference network and its images. Each line of standard
input names a method of `Worker` and its arguments in JSON.
"""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from benchmarks.memory import own_memory
from benchmarks.networks import NETWORKS
from mcviz import Sampler, load_model  # where earlier versions have them, too

Masks = Literal["per_pass", "per_example"]
REFERENCE = Path(sys.argv[1])
LIMIT = 1000  # examples at once in the loop's `predict`


class Loop(keras.Model):
    """A model whose `predict` has dropout on: as Keras has it, with frozen BatchNormalization."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        self.compile(jit_compile=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """One pass."""
        return self.model(inputs, training=True)


class Worker:
    """The requests. Times are seconds, of wall clock and of processors."""

    def machine(self) -> dict[str, Any]:
        """Describe the machine and the versions."""
        gpus = [device.name for device in tf.config.list_physical_devices("GPU")]
        return {"keras": keras.__version__, "tensorflow": tf.__version__, "gpus": gpus}

    def networks(self) -> dict[str, Any]:
        """Name the networks besides the reference network."""
        names = ("name", "examples", "passes", "loop_passes")
        return {name: {key: getattr(network, key) for key in names} for name, network in NETWORKS.items()}

    def sample(
        self, network: str, examples: int, passes: int, masks: Masks, options: dict[str, Any], whole: bool = True
    ) -> dict[str, Any]:
        """Run one job; with `whole` the model is prepared again, and that is timed, too."""
        model, inputs = _network(network), _inputs(network, examples)
        started = _clock()
        sampler = Sampler(model, **options) if whole else _sampler(network, tuple(options.items()))
        prepared = _clock()
        sampler.sample(inputs, passes=passes, masks=masks)
        times = _since(started)
        made_by = {"compiler": getattr(sampler, "compiler", None), "product": getattr(sampler, "product", None)}
        return times | made_by | {"prepared": prepared[0] - started[0], "prepared cpu": prepared[1] - started[1]}

    def loop(self, network: str, examples: int, passes: int) -> dict[str, float]:
        """Some passes of `predict` over all examples."""
        model, inputs = _network(network), _inputs(network, examples)
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
        predict = partial(Loop(model).predict, batch_size=min(LIMIT, examples), verbose=0)
        if (predict(inputs[:LIMIT]) == predict(inputs[:LIMIT])).all():
            raise RuntimeError(f"The loop's dropout is off, in {network}.")
        started = _clock()
        for _ in range(passes):
            predict(inputs)
        return _since(started)

    def stages(self, examples: int, passes: int, masks: str) -> dict[str, float]:
        """Seconds of processors of a job's stages, one after the other in one thread."""
        from mcviz.sampling import engine  # an older version, held against this one, has none

        sampler, spent = _sampler("reference", ()), _Stages()
        (plan,) = sampler._plans.values()
        inputs = _inputs("reference", examples)
        with ExitStack() as patches:
            patches.enter_context(patch.object(engine, "ThreadPoolExecutor", _OneThread))
            for holder, name, stage in _stages():
                patches.enter_context(patch.object(holder, name, spent.timed(stage, getattr(holder, name))))
            behind = spent.timed("behind the product", plan.random_part)
            patches.callback(object.__setattr__, plan, "random_part", plan.random_part)
            object.__setattr__(plan, "random_part", behind)
            spent.timed("the rest", sampler.sample)(inputs, passes=passes, masks=masks)
        return spent.seconds

    def masks(self, product: str, active: int, passes: int, units: int) -> float:
        """Seconds of one thread for one example's product, the best of many."""
        from mcviz.sampling.keras.plan import multiply
        from mcviz.sampling.machine_code import SubsetSums
        from mcviz.sampling.masks import SUBSET_SUMS, MatrixProduct, thread_memory

        numbers = np.random.default_rng(0)
        activations = np.zeros(4 * active, np.float32)
        activations[numbers.permutation(4 * active)[:active]] = numbers.random(active, dtype=np.float32) + 0.1
        kernel = numbers.standard_normal((4 * active, units), dtype=np.float32)
        computed = SubsetSums(kernel) if product == SUBSET_SUMS else MatrixProduct(kernel, multiply)
        mask = computed.prepare_pass_mask(numbers.random((passes, 4 * active)) < 0.75)
        sums = thread_memory("benchmark", (1, 1, passes, units), np.float32)
        tries: list[float] = []
        while len(tries) < 20 or sum(tries) < 0.5:
            started = time.perf_counter()
            computed.multiply_per_pass(sums, 0, range(passes), activations, [mask])
            tries.append(time.perf_counter() - started)
        return min(tries)

    def dense(self, examples: int) -> dict[str, float]:
        """One pass's matrix product, (examples, 9216) @ (9216, 128), the mean of 10."""
        numbers = np.random.default_rng(0)
        activations = tf.constant(numbers.random((examples, 9216), dtype=np.float32))
        kernel = tf.constant(numbers.random((9216, 128), dtype=np.float32))
        tf.matmul(activations, kernel)
        started = _clock()
        for _ in range(10):
            tf.matmul(activations, kernel)
        return {clock: took / 10 for clock, took in _since(started).items()}

    def __init__(self) -> None:
        """Look at the process's own memory from now on."""
        self._own = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def memory(self) -> dict[str, int]:
        """Bytes at most so far: of all, and of what is the process's own, without the files that it has mapped."""
        return {"all": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "own": self._own}

    def _watch(self) -> None:
        while True:
            self._own = max(self._own, own_memory(os.getpid()))
            time.sleep(0.02)


class _Stages:
    """Seconds of processors by stage; what a stage calls that is a stage itself counts there alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within: list[float] = []

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            self._within.append(0.0)
            try:
                return work(*args, **kwargs)
            finally:
                spent = time.process_time() - started
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent - self._within.pop()
                if self._within:
                    self._within[-1] += spent

        return timed


class _OneThread(ThreadPoolExecutor):
    """Work that is done at once, in the thread that asks for it, so that no two stages are under way together."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*args, **kwargs))
        return future


def _stages() -> tuple[tuple[Any, str, str], ...]:
    """The functions that are stages: where they are looked up, their names, and the stage."""
    from mcviz.sampling import machine_code, masks
    from mcviz.sampling.engine import SamplerCall

    return (
        (SamplerCall, "_compute_shared_part", "the front"),
        (SamplerCall, "_draw_pass_numbers", "drawing"),
        (SamplerCall, "_draw_numbers", "drawing"),
        (machine_code, "draw_packed_bernoulli", "drawing"),
        (masks, "bernoulli", "drawing"),
        (SamplerCall, "_multiply", "the product"),
        (SamplerCall, "_store", "storing"),
    )


@cache
def _network(name: str) -> keras.Model:
    if name == "reference":
        return load_model(REFERENCE / "model.keras")
    keras.utils.set_random_seed(0)
    return NETWORKS[name].build()


@cache
def _inputs(name: str, count: int) -> np.ndarray:
    if name != "reference":
        return NETWORKS[name].inputs(_network(name), count)
    images = np.load(REFERENCE / "images.npy")
    return np.resize(images, (count, *images.shape[1:]))


@cache
def _sampler(network: str, options: tuple[tuple[str, Any], ...]) -> Sampler:
    return Sampler(_network(network), **dict(options))


def _clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(started: tuple[float, float]) -> dict[str, float]:
    now = _clock()
    return {"wall": now[0] - started[0], "cpu": now[1] - started[1]}


def main() -> None:
    """Answer each line by one in JSON."""
    worker = Worker()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(getattr(worker, name)(**arguments)), flush=True)


if __name__ == "__main__":
    main()
