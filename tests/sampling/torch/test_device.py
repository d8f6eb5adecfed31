"""Passes on a simulated device: those of the processor, on the same masks, whatever is in the way.

Within 1e-5 where products have other sizes than on the processor, or are other operations, which every device has; to
the last bit where all is the same. The rounding of a GPU is for `test_gpu.py`.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcviz.choices import MASKS
from mcviz.errors import DeviceWarning, InvalidInputError, RunExistsError, UnsuitableModelError
from mcviz.runs import open_run
from mcviz.sampling import Sampler, engine
from mcviz.sampling.run_sampling import sample_run
from tests.cases import only
from tests.factories import Stop, stop_after
from tests.requiring import require_torch
from tests.runs.making import contents
from tests.runs.sealing import reseal

require_torch()

import torch  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.devices import forecast_bytes  # noqa: E402
from mcviz.sampling.torch import plan as plan_file  # noqa: E402
from mcviz.sampling.torch.device import Device, DevicePart, choose_device  # noqa: E402
from mcviz.sampling.torch.internals import exact_products  # noqa: E402
from tests.sampling.torch import pretend  # noqa: E402
from tests.sampling.torch.test_models import NEEDS  # noqa: E402
from tests.sampling.torch.zoo import (  # noqa: E402
    CASES,
    LARGE,
    Branching,
    Functional,
    images,
    words,
)

pretend.register()
SAME = "encoder", "attention", "channels", "branching", "gru"  # of which the random part has the same operations
PASSES = 140  # more than a block
every_case = pytest.mark.parametrize("name", only(("functional", "branching"), CASES | LARGE))
FORMS = {
    "cuda out of memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
}


@pytest.fixture(autouse=True)
def traffic() -> Iterator[pretend.Traffic]:
    with pretend.watched() as traffic:
        yield traffic


def make(name: str) -> tuple[nn.Module, Any]:
    require_torch(*filter(None, [NEEDS.get(name)]))
    return (CASES | LARGE)[name].make()


def passes_of(name: str) -> int:
    """More passes than a block, but for large networks, whose every split is tested by itself."""
    return PASSES if name in CASES else 12


def look(model: nn.Module) -> list[tuple[str, int, str, bytes]]:
    """What must stay of a module: its tensors, where they are, and their numbers."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return [(name, id(each), str(each.device), each.detach().cpu().numpy().tobytes()) for name, each in named]


def keep_blocks(patch: pytest.MonkeyPatch) -> None:
    """Let blocks off the processor have as many examples as on it."""
    patch.setattr(plan_file, "choose_device_examples", lambda *_: 1)


class Prepared:
    """A model, and samplers of it that have traced it, for every test that changes neither."""

    def __init__(self, name: str) -> None:
        self.model, self.examples = make(name)
        self.before = look(self.model)
        self.sampler, self.other = Sampler(self.model), Sampler(self.model, device=pretend.NAME)
        self.other.sample(self.examples, passes=2)
        self.operations = set(pretend.traffic.operations)
        self.moved = pretend.move(make(name)[0])
        self.before_of_moved = look(self.moved)
        with pytest.MonkeyPatch.context() as patch:
            keep_blocks(patch)
            self.there = Sampler(self.moved)
            self.there.sample(self.examples, passes=2)


@pytest.fixture(scope="module")
def prepare() -> Callable[[str], Prepared]:
    return cache(Prepared)


def check_passes(sampler: Sampler, other: Sampler, examples: Any, tolerance: float, passes: int) -> None:
    for masks in MASKS:
        found, expected = (each.sample(examples, passes=passes, seed=3, masks=masks) for each in (other, sampler))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(other.deterministic(examples), sampler.deterministic(examples), rtol=0, atol=1e-5)
    assert other.network.compute_digest() == sampler.network.compute_digest()


@every_case
def test_passes_are_those_of_the_processor_and_the_module_stays_where_it_is(
    name: str, prepare: Callable[[str], Prepared]
) -> None:
    of = prepare(name)
    check_passes(of.sampler, of.other, of.examples, 1e-5, passes_of(name))
    assert look(of.model) == of.before


@every_case
def test_a_module_on_the_device_is_sampled_there_with_equal_bits_by_equal_operations(
    name: str, traffic: pretend.Traffic, prepare: Callable[[str], Prepared]
) -> None:
    of = prepare(name)
    traffic.operations.clear()
    check_passes(of.sampler, of.there, of.examples, 0 if name in SAME else 1e-5, passes_of(name))
    assert len(traffic.operations) > 20
    assert look(of.moved) == of.before_of_moved
    assert (of.there.device, of.there.network.describe_device()) == (
        pretend.NAME,
        f"{pretend.NAME}:0, where the module is",
    )
    assert of.there.network.save() == of.sampler.network.save()


class Small(nn.Module):
    """A mask of a number of elements that fills no bytes, in front of a layer that the processor factors.

    A model that branches, by a condition on numbers, cannot be traced.
    """

    def __init__(self, rate: float, branches: bool = False) -> None:
        super().__init__()
        self.first, self.dropout, self.last, self.branches = (
            nn.Linear(5, 13),
            nn.Dropout(rate),
            nn.Linear(13, 3),
            branches,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = -x if self.branches and x.sum() < -1e9 else x
        return 3 * self.last(self.dropout(self.first(x).relu())) - 1


@pytest.mark.parametrize("rate", [0.5, 0.25, 0.1, 0.3])
def test_masks_are_those_of_the_processor_for_every_seed_rate_and_block(rate: float) -> None:
    torch.manual_seed(0)
    model, rows = Small(rate), np.random.default_rng(0).random((9, 5), dtype=np.float32)
    samplers = Sampler(model), Sampler(model, device=pretend.NAME)
    for sampler in samplers:
        assert sampler.plan_for(rows)[1].passes_per_block == 256  # also where nothing is factored
    for seed, first in ((0, 0), (0, 250), (7, 1000)):
        for masks in MASKS:
            passes, others = (
                each.sample(rows, passes=12, seed=seed, masks=masks, first_pass=first, first_example=2)
                for each in samplers
            )
            np.testing.assert_allclose(passes, others, rtol=0, atol=1e-5)


@every_case
def test_any_split_and_any_threads_give_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[str], Prepared]
) -> None:
    sampler, examples = prepare(name).other, prepare(name).examples
    for masks in MASKS:
        whole = sampler.sample(examples, passes=PASSES, masks=masks)
        for threads, taken in ((1, slice(0, 6)), (3, slice(4, 5))):
            monkeypatch.setattr(engine, "_thread_limit", threads)
            part = sampler.sample(examples[taken], passes=15, first_pass=120, first_example=taken.start, masks=masks)
            np.testing.assert_array_equal(part, whole[120:135, taken])


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("name", ["functional", "channels", "branching"])
def test_as_many_bytes_cross_the_bus_as_forecast(name: str, masks: str, traffic: pretend.Traffic) -> None:
    model, examples = make(name)
    sampler = Sampler(model, device=pretend.NAME)
    inputs, plan = sampler.plan_for(examples)
    traffic.up.clear()
    traffic.down.clear()
    sampler.sample(examples, passes=PASSES, masks=masks)
    up, down = forecast_bytes(plan, inputs, PASSES, masks)
    assert (sum(traffic.up), sum(traffic.down)) == (up, down)


def test_a_mask_takes_a_bit_an_element_and_comes_once_for_all_examples_that_share_it(traffic: pretend.Traffic) -> None:
    torch.manual_seed(0)
    sampler, rows = Sampler(Small(0.5), device=pretend.NAME), np.ones((9, 5), np.float32)
    _, plan = sampler.plan_for(rows)
    for masks, count in (("per_pass", 1), ("per_example", plan.examples_per_block)):
        traffic.up.clear()
        sampler.sample(rows, passes=256, masks=masks)
        assert 256 * 2 * count in traffic.up  # of 13 bits two bytes


def fail_at(traffic: pretend.Traffic, number: int, error: Exception) -> None:
    """Let the operation of a number, counted from now, fail once."""
    first = len(traffic.operations)

    def fail(_: Any) -> None:
        if len(traffic.operations) == first + number:
            raise error

    traffic.fail = fail


@pytest.mark.parametrize("form", FORMS)
def test_less_is_computed_at_once_after_an_error_of_memory(form: str, traffic: pretend.Traffic) -> None:
    model, examples = make("functional")
    sampler = Sampler(model, device=pretend.NAME)
    whole = sampler.sample(examples, passes=PASSES)
    size = sampler.plan_for(examples)[1].examples_per_block
    said = rf"memory of pretend:0 ran out: {size // 2:,} of a block of {size:,} are computed at once from now on\."
    fail_at(traffic, 30, FORMS[form])
    with pytest.warns(DeviceWarning, match=said) as warned:
        passes = sampler.sample(examples, passes=PASSES)
    assert len(warned) == 1
    np.testing.assert_allclose(passes, whole, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(sampler.sample(examples, passes=PASSES), passes)  # as many at once from there on


@pytest.mark.parametrize("branches", [False, True], ids=["traced", "a condition"])
def test_memory_may_run_out_at_the_start_of_any_block_and_at_any_kind_of_operation(
    branches: bool, traffic: pretend.Traffic, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    monkeypatch.setattr(engine, "_thread_limit", 1)  # which keeps the order of operations
    parts, starts, compute_block = list[DevicePart](), list[int](), DevicePart.compute

    def watch(part: DevicePart, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        parts.append(part)
        starts.append(len(traffic.operations) + 1)
        return compute_block(part, arrays)

    monkeypatch.setattr(DevicePart, "compute", watch)
    torch.manual_seed(0)
    model, rows = Small(0.5, branches).eval(), np.random.default_rng(0).random((3, 5), dtype=np.float32)
    sampler = Sampler(model, device=pretend.NAME)

    def compute() -> list[np.ndarray]:
        passes = [sampler.sample(rows, passes=PASSES, masks=masks) for masks in MASKS]
        return [*passes, sampler.deterministic(rows), sampler.network.compute_features(rows)]

    compute()
    traffic.operations.clear()
    starts.clear()
    expected, kinds = compute(), {each: number for number, each in enumerate(traffic.operations, 1)}
    numbers = sorted({*starts, *kinds.values()})
    assert len(numbers) > 15
    for number in numbers[:: min(stride, 9)]:
        for part in parts:
            part.at_once = part.most
        fail_at(traffic, number, FORMS["mps"])
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", DeviceWarning)
            try:
                computed = compute()
            except UnsuitableModelError as error:  # of one example alone, which cannot be fewer
                assert branches
                assert "The memory of pretend:0 is too small for a block of the model. Received: MPS" in str(error)  # noqa: PT017
                continue
        assert "ran out" in str(warned[0].message)
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_memory_that_is_too_small_for_one_example_is_named(traffic: pretend.Traffic) -> None:
    model, examples = make("functional")
    sampler = Sampler(model, device=pretend.NAME)
    sampler.sample(examples, passes=2)

    def fail(_: Any) -> None:
        raise FORMS["mps"]

    traffic.fail = fail
    with (
        pytest.warns(DeviceWarning, match="ran out"),
        pytest.raises(UnsuitableModelError, match=r"memory of pretend:0 is too small.*Received: MPS.*--device cpu"),
    ):
        sampler.sample(examples, passes=2)


@pytest.mark.usefixtures("small_blocks")
def test_a_run_says_its_device_and_goes_on_there_after_a_stop_and_an_error_of_memory(
    tmp_path: Path, traffic: pretend.Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_blocks(monkeypatch)
    model, examples = CASES["channels"].make(20)
    processor = sample_run(model, examples, tmp_path / "cpu", passes=20, keep_model=False)
    whole = sample_run(model, examples, tmp_path / "whole", passes=20, device=pretend.NAME, keep_model=False)
    assert (processor.manifest.origin.device, whole.manifest.origin.device) == (None, pretend.NAME)
    revisions = ['"revision": 1' in (tmp_path / run / "manifest.json").read_text() for run in ("cpu", "whole")]
    assert revisions == [False, True]
    assert whole.digest != processor.digest
    with pytest.raises(Stop):
        sample_run(
            model, examples, tmp_path / "run", passes=9, device=pretend.NAME, keep_model=False, progress=stop_after(0.6)
        )
    sample_run(model, examples, tmp_path / "run", passes=9, keep_model=False)  # on its device
    fail_at(traffic, 60, FORMS["mps"])
    with pytest.warns(DeviceWarning, match="ran out"):
        grown = sample_run(model, examples, tmp_path / "run", passes=20, keep_model=False)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert grown.digest == whole.digest
    with pytest.raises(RunExistsError, match="device"):
        sample_run(model, examples, tmp_path / "run", passes=30, device="cpu", keep_model=False)


def test_a_run_of_a_device_that_is_not_here_ends_with_a_line_that_names_the_option(tmp_path: Path) -> None:
    model, examples = make("functional")
    path = sample_run(model, examples, tmp_path / "run", passes=4, device=pretend.NAME, keep_model=False).path

    def change(manifest: dict[str, Any]) -> None:
        manifest["origin"]["device"] = "xpu"

    reseal(Path(path), change)
    assert open_run(path).manifest.origin.device == "xpu"
    with pytest.raises(InvalidInputError, match=r"Received: 'xpu' \(PyTorch says: .*--device cpu"):
        sample_run(model, examples, path, passes=8, keep_model=False)


def test_weights_that_change_later_count(traffic: pretend.Traffic) -> None:
    model, examples = make("functional")
    samplers = Sampler(model), Sampler(model, device=pretend.NAME)
    before = [each.sample(examples, passes=5) for each in samplers]
    with torch.no_grad():
        model.last.weight *= 2
    after = [each.sample(examples, passes=5) for each in samplers]
    assert np.abs(after[0] - before[0]).max() > 1e-3
    np.testing.assert_allclose(after[1], after[0], rtol=0, atol=1e-5)


class BranchingAttention(Branching):
    """Its dropout is within the scaled dot products, too, and one part keeps its device."""

    def __init__(self) -> None:
        super().__init__()
        self.where = torch.device("cpu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x[:, 0] + torch.zeros(1, device=self.where)
        mixed = nn.functional.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.4 if self.training else 0.0)
        return super().forward(mixed[:, None])


class BranchingRecurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.layers, self.last = nn.Embedding(50, 8), nn.LSTM(8, 6, 2, dropout=0.4), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.layers(self.words(x if x.sum() > 0 else -x).transpose(0, 1))
        return self.last(states[-1])


def test_dropout_within_the_attention_of_a_model_that_cannot_be_traced_is_that_of_the_processor() -> None:
    torch.manual_seed(0)
    model, examples = BranchingAttention().eval(), images(1, 8)(3)
    check_passes(Sampler(model), Sampler(model, device=pretend.NAME), examples, 1e-5, PASSES)


def test_a_recurrent_layer_that_cannot_be_traced_is_refused_by_name() -> None:
    torch.manual_seed(0)
    model, examples = BranchingRecurrent().eval(), words(3)
    assert Sampler(model).sample(examples, passes=3).shape == (3, 3, 3)
    sampler = Sampler(model, device=pretend.NAME)
    for compute in (lambda: sampler.sample(examples, passes=3), lambda: sampler.network.compute_features(examples)):
        with pytest.raises(UnsuitableModelError, match=r"layers \(LSTM 0\.4\).*--device cpu"):
            compute()


class OfNumbers(nn.Module):
    """A recurrent layer over numbers, which have gradients."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU]) -> None:
        super().__init__()
        self.layers, self.last = kind(1, 6, 2, dropout=0.4, batch_first=True), nn.Linear(6, 3)
        self.with_cudnn = set[bool]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            self.with_cudnn.add(torch.backends.cudnn.enabled)
        return 9 * self.last(self.layers(x[..., None])[0][:, -1])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_gradients_of_a_recurrent_layer_do_without_cudnn_which_has_them_in_training_mode_alone(
    kind: type[nn.LSTM | nn.GRU], traffic: pretend.Traffic
) -> None:
    torch.manual_seed(0)
    model, rows = OfNumbers(kind).eval(), np.random.default_rng(0).random((60, 3), dtype=np.float32)
    expected, sign = (
        Sampler(model, device=device).network.compute_gradient_sign(rows, np.arange(60) % 3)
        for device in ("cpu", pretend.NAME)
    )
    assert set(np.unique(expected)) == {-1, 1}
    np.testing.assert_array_equal(sign, expected)
    assert any(re.search("_thnn_fused_.*_backward", str(each)) for each in traffic.operations)  # as on a GPU
    assert (model.with_cudnn, torch.backends.cudnn.enabled) == ({False}, True)


@pytest.mark.parametrize("name", only(("functional", "lstm"), CASES | LARGE))
def test_features_and_gradients_are_those_of_the_processor(name: str, prepare: Callable[[str], Prepared]) -> None:
    of = prepare(name)
    examples, samplers = of.examples, (of.sampler, of.other, of.there)
    works = [lambda network: network.compute_features(examples)]
    if isinstance(examples, torch.Tensor):  # of images
        pictures, labels = examples.permute(0, 2, 3, 1).numpy(), np.arange(6) % 3
        works += [
            lambda network, given=given: network.compute_gradient_sign(pictures, *given) for given in ((), (labels,))
        ]
    for compute in works:
        expected, *others = (compute(each.network) for each in samplers)
        for other in others:
            np.testing.assert_allclose(other, expected, atol=1e-5)


@pytest.mark.parametrize("device", ["cpu", pretend.NAME])
def test_words_have_no_gradient_on_any_device(device: str) -> None:
    model, examples = make("lstm")
    with pytest.raises(UnsuitableModelError, match=r"no gradient by the examples\. Received: Recurrent, .* int64"):
        Sampler(model, device=device).network.compute_gradient_sign(examples)


def test_a_device_that_is_not_here_is_refused_and_nothing_else_taken() -> None:
    for wanted in ("cuda:99", "xpu", "gpu"):
        with pytest.raises(InvalidInputError, match=rf"`device` should be one .*Received: '{wanted}' \(PyTorch says"):
            Sampler(Functional(), device=wanted)


def test_the_device_and_the_reason_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(2, 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto", model) == Device(torch.device("cpu"), "PyTorch sees no CUDA")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto", model).reason == "PyTorch sees no CUDA, and takes MPS only where it is asked for"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: torch.empty(0, device=pretend.NAME))
    assert choose_device("auto", model).reason == "PyTorch sees CUDA"
    assert choose_device("auto", pretend.move(nn.Linear(2, 3))).place == torch.device("pretend:0")


def test_a_module_on_two_devices_and_one_that_cannot_be_copied_are_refused() -> None:
    with pytest.raises(UnsuitableModelError, match="weights on cpu, pretend:0"):
        Sampler(nn.Sequential(nn.Linear(2, 2), nn.Dropout(), pretend.move(nn.Linear(2, 2))))
    moved = pretend.move(make("functional")[0])
    moved.held = (each for each in "ab")
    with pytest.raises(UnsuitableModelError, match=r"cannot be copied to cpu.*Functional, TypeError: cannot pickle"):
        Sampler(moved)


def test_products_are_exact_on_cuda_and_as_before_after_that() -> None:
    settings = torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn
    before = [each.fp32_precision for each in settings]
    assert "tf32" in before  # of convolutions, which torch rounds without being asked
    with exact_products(torch.device("cuda")):
        assert {each.fp32_precision for each in settings} == {"ieee"}
    with exact_products(torch.device("cpu")):
        assert [each.fp32_precision for each in settings] == before
    assert [each.fp32_precision for each in settings] == before


def find_cuda_operations() -> set[str]:
    """Those that have a kernel of CUDA, or follow from others, by torch's own list."""
    text = files("torchgen").joinpath("packaged/ATen/native/native_functions.yaml").read_text("utf-8")
    found = set()
    for entry in text.split("\n- func: ")[1:]:
        name = entry.partition("(")[0]
        places = re.findall(r"^    ([\w, ]+): ", entry.partition("\n  dispatch:\n")[2], re.MULTILINE)
        keys = {key.strip() for place in places for key in place.split(",")}
        if not keys or "CUDA" in keys or any("Composite" in key for key in keys) or "structured_delegate" in entry:
            found.add(f"aten.{name}" if "." in name else f"aten.{name}.default")
    return found


@every_case
def test_every_operation_on_the_device_is_one_that_cuda_has(
    name: str, traffic: pretend.Traffic, prepare: Callable[[str], Prepared]
) -> None:
    """A simulated device computes what only the processor has, too, such as its layers of LSTM and its attention."""
    known = find_cuda_operations()
    assert {"aten.convolution.default", "aten.native_dropout.default"} <= known
    assert "aten.mkldnn_rnn_layer.default" not in known
    of = prepare(name)
    of.other.sample(of.examples, passes=3)
    of.other.deterministic(of.examples)
    assert {str(each) for each in {*traffic.operations, *of.operations}} <= known
