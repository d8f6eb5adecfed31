"""What a PyTorch model is told: refused with the operation and the module, left as it was, read as what it is."""

import copy
import io
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from mcviz.errors import InvalidInputError, RunExistsError, UnsuitableModelError
from mcviz.sampling import Sampler
from mcviz.sampling.base import InputSpec
from mcviz.sampling.checking import check_model
from mcviz.sampling.run_sampling import sample_run
from tests.cases import one_in
from tests.requiring import require_torch

require_torch()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import dropout  # noqa: E402

from mcviz.sampling.torch.network import TorchNetwork  # noqa: E402
from tests.sampling.torch.test_models import own_passes  # noqa: E402
from tests.sampling.torch.zoo import CASES, Functional  # noqa: E402

SLOW = pytest.mark.slow
ROWS = np.random.default_rng(0).random((5, 4), dtype=np.float32)


class Model(nn.Module):
    """A dense layer, something else, dropout and a dense layer."""

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.dropout, self.last = nn.Linear(4, 8), nn.Dropout(rate), nn.Linear(8, 3)
        self.register_buffer("calls", torch.zeros(1))

    def change(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, x: torch.Tensor) -> Any:
        return self.finish(self.last(self.dropout(self.change(self.first(x)))))

    def finish(self, x: torch.Tensor) -> Any:
        return x


def model_with(**methods: Any) -> nn.Module:
    return type("Model", (Model,), methods)()


def count_calls(model: Model, x: torch.Tensor) -> torch.Tensor:
    if model.dropout.training:
        model.calls += 1
    return x


def vary_draws(model: Model, x: torch.Tensor) -> torch.Tensor:
    model.varied = not getattr(model, "varied", False)
    return dropout(x, 0.1) if model.varied else x


def remember(model: Model, x: torch.Tensor) -> torch.Tensor:
    """Keep what was computed last, and scales by the size of the batch."""
    if not hasattr(model, "scales"):
        model.scales, model.sizes = {}, []
    model.latest = model.scales.setdefault(len(x), x.abs() * 0 + 1) * x
    model.sizes.append(len(x))
    return model.latest


def count_in_a_tensor(model: Model, x: torch.Tensor) -> torch.Tensor:
    model.count += model.dropout.training
    return x


def ask_numpy(_: Model, x: torch.Tensor) -> torch.Tensor:
    return x * torch.from_numpy(np.sign(x.detach().numpy()))


def branch(_: Model, x: torch.Tensor) -> torch.Tensor:
    return x if x.sum() > -1e9 else -x


def call_compiled(model: Model, x: torch.Tensor) -> torch.Tensor:
    if not hasattr(model, "compiled"):
        model.compiled = torch.compile(nn.Dropout(0.1).train(model.training), backend="eager")
    return model.compiled(x)


def fail(_: Model, x: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no such thing")


REFUSED = {
    "aten.randint.*in Model": {"change": lambda _, x: x * torch.randint(0, 2, x.shape)},
    "aten.multinomial": {"change": lambda _, x: x + torch.multinomial(torch.ones(3), 1)},
    "not give the same prediction twice": {"change": lambda _, x: x + random.random()},
    "from Python or from NumPy": {"change": lambda _, x: 2 * x if random.random() < 1e-9 else x},
    "Python or from NumPy, where": {"change": lambda _, x: 2 * x if np.random.rand() < 1e-9 else x},  # noqa: NPY002
    "depends on the other examples of its batch": {"change": lambda _, x: x - x.mean(0)},
    "depends on the other examples": {"forward": lambda self, x: self.last(self.dropout(self.first(x / x.max())))},
    "on the other examples of its batch": {"change": lambda _, x: x / len(x)},
    "not draw the same random numbers in every call": {"change": vary_draws},
    "for its whole batch together": {"change": lambda _, x: x * torch.rand(x.shape[1])},
    r"in a pass.*Received: calls\.": {"change": count_calls},
    r"or other tensors in a pass.*Received: count\.": {"change": count_in_a_tensor, "count": torch.zeros(1)},
    "the model draws no random numbers": {"forward": lambda self, x: self.last(self.first(x))},
    "All passes agree to the last bit": {"finish": lambda _, x: 0 * x + 5},
    "one row of class scores": {"finish": lambda _, x: x[:, :, None]},
    "output=None": {"finish": lambda _, x: {"a": x, "b": x}},
    r"fails on these examples\. Received: no such": {"change": fail},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_sampled_is_refused(message: str) -> None:
    model = model_with(**REFUSED[message])
    with pytest.raises((UnsuitableModelError, InvalidInputError), match=message):
        Sampler(model).deterministic(ROWS)


def drop_in_training(model: Model, x: torch.Tensor) -> torch.Tensor:
    return model.extra(x) if model.training else x


def drop_by_own_flag(model: Model, x: torch.Tensor) -> torch.Tensor:
    return dropout(x, 0.1, training=model.training)


def return_a_loss(model: Model, x: torch.Tensor) -> Any:
    return {"scores": x, "loss": x.sum()} if model.training else x


def test_what_a_model_does_in_training_alone_is_no_obstacle_or_is_said() -> None:
    sampler = Sampler(model_with(change=drop_in_training, extra=nn.Dropout(0.2)))
    assert sampler.sample(ROWS, passes=20).std(0).min() > 0
    with torch.no_grad():
        expected = Model().eval()(torch.tensor(ROWS)).softmax(1)
    np.testing.assert_allclose(sampler.deterministic(ROWS), expected, atol=1e-6)
    assert Sampler(model_with(finish=return_a_loss)).sample(ROWS, passes=20).std(0).min() > 0
    with pytest.raises(UnsuitableModelError, match=r"something else in training mode.*scores, loss"):
        Sampler(model_with(finish=return_a_loss, change=drop_by_own_flag)).deterministic(ROWS)


def test_weights_of_float64_are_told_of_their_type() -> None:
    with pytest.raises(UnsuitableModelError, match=r"reach it as float32\. Call model\.float\(\) first\."):
        Sampler(Model().double()).deterministic(ROWS.astype(np.float64))


@SLOW
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch.compile
def test_a_model_that_torch_hides_or_keeps_elsewhere_is_refused() -> None:
    for model, message in (
        (torch.compile(Model()), "compiled"),
        (Model().half(), "of 32 or 64 bits. Received: first.weight of dtype float16"),
        (nn.Sequential(nn.LazyLinear(3), nn.Dropout()), "no weights yet"),
        (Model().to("meta"), "Received: one with weights on meta"),
    ):
        with pytest.raises(UnsuitableModelError, match=message):
            Sampler(model)
    with pytest.raises(InvalidInputError, match="`stochastic` should be left out for a PyTorch model"):
        Sampler(Model(), stochastic=(nn.Dropout,))


def attributes_of(model: nn.Module) -> list[Any]:
    """What the modules hold, and what is in dicts and lists among that."""
    held = [(name, value) for module in model.modules() for name, value in vars(module).items()]
    inner = [
        (name, list(value.items() if isinstance(value, dict) else value))
        for name, value in held
        if isinstance(value, dict | list)
    ]
    return [[(name, id(value)) for name, value in held], [(name, list(map(repr, each))) for name, each in inner]]


def state_of(model: nn.Module) -> list[Any]:
    tensors = [(name, tensor.numpy().tobytes()) for name, tensor in model.state_dict().items()]
    places = [id(tensor) for tensor in [*model.parameters(), *model.buffers()]]
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_pre_hooks) for module in model.modules()]
    process = torch.get_rng_state().numpy().tobytes(), torch.get_num_threads(), torch.is_grad_enabled()
    fast = torch.backends.mha.get_fastpath_enabled()
    return [tensors, places, modes, hooks, process, fast, attributes_of(model)]


@pytest.mark.parametrize("training", [True, pytest.param(False, marks=SLOW)])
@pytest.mark.parametrize("called", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize(
    "methods",
    one_in(5, [
        {"change": lambda model, x: branch(model, remember(model, x))},
        {},
        *({"change": change} for change in (call_compiled, remember, ask_numpy, branch)),
        *(methods for methods in REFUSED.values() if "forward" not in methods),
    ]),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch.compile
def test_a_model_is_left_bit_for_bit_as_it_was(methods: Any, training: bool, called: bool) -> None:
    model = nn.Sequential(model_with(**methods), nn.BatchNorm1d(3)).train(training)
    if called:
        with suppress(RuntimeError, AttributeError):  # of models that are refused, too
            model(torch.tensor(ROWS))
    before = state_of(model)
    try:
        sampler = Sampler(model)
        sampler.sample(ROWS, passes=3)
        sampler.deterministic(ROWS)
        sampler.network.compute_gradient_sign(ROWS)
        sampler.network.compute_features(ROWS)
    except (UnsuitableModelError, InvalidInputError):
        pass
    assert state_of(model) == before
    if not called:  # torch copies no tensor that has a gradient
        torch.save(copy.deepcopy(model).state_dict(), io.BytesIO())


ALWAYS_ON = {
    "rand": lambda _, x: x * (torch.rand_like(x) < 0.8) / 0.8,
    "bernoulli of a tensor": lambda _, x: x * torch.bernoulli(torch.full_like(x, 0.8)) / 0.8,
    "masked_fill": lambda _, x: x.masked_fill(torch.bernoulli(x, 0.2).bool(), 0),
    "eager": lambda model, x: branch(model, x * (torch.rand_like(x) < 0.8) / 0.8),
}
SWITCHED_OFF = {
    "dropout": lambda _, x: dropout(x, 0.2, training=True),
    "bernoulli": lambda _, x: x * torch.bernoulli(x, 0.8) / 0.8,
    "noise": lambda _, x: x + torch.randn_like(x),
    "unused": lambda _, x: (x, torch.rand_like(x))[0],
}


@pytest.mark.parametrize("name", one_in(4, ALWAYS_ON | SWITCHED_OFF))
def test_only_a_model_whose_randomness_can_be_switched_off_has_a_deterministic_prediction(name: str) -> None:
    sampler = Sampler(model_with(change=(ALWAYS_ON | SWITCHED_OFF)[name]))
    assert sampler.sample(ROWS, passes=20).std(0).min() > 0
    if name in SWITCHED_OFF:
        expected = Model().eval()(torch.tensor(ROWS)).softmax(1).detach()
        np.testing.assert_allclose(sampler.deterministic(ROWS), expected, atol=1e-6)
        return
    assert "always random: Model" in sampler.description()
    for ask in (sampler.deterministic, sampler.network.compute_features, sampler.network.compute_gradient_sign):
        with pytest.raises(UnsuitableModelError, match=r"no deterministic prediction.*Received: Model\."):
            ask(ROWS)


def test_a_run_without_deterministic_predictions_says_so_and_grows(tmp_path: Path) -> None:
    model = model_with(change=ALWAYS_ON["rand"])
    sampler = Sampler(model)
    check = check_model(sampler, (ROWS, [0, 1, 2, 0, 1]))
    assert "no deterministic prediction" in check.advice
    assert "accuracy" not in check.findings(9)
    for passes in (3, 6):
        run = sample_run(sampler, (ROWS, [0, 1, 2, 0, 1]), tmp_path / "run", passes=passes)
    assert run.deterministic_predictions is None
    np.testing.assert_allclose(run.probs_block(0, None), sampler.sample(ROWS, passes=6), atol=1 / 65535)


def test_normalisation_is_that_of_inference_and_a_container_drops_by_its_own_flag() -> None:
    model, images = CASES["functional"].make()
    sampler = Sampler(model.train())
    stochastic = [(layer.name, layer.kind, layer.rate) for layer in sampler.stochastic_layers]
    assert not stochastic  # nothing is known before an example is seen
    passes = sampler.sample(images, passes=400)
    assert [(each.name, each.rate) for each in sampler.stochastic_layers] == [("Functional", 0.5), ("Functional", 0.3)]
    own = own_passes(model.eval(), [model], images[2], 400)
    np.testing.assert_allclose(passes[:, 2].mean(0), own.mean(0), atol=5 * own.std() / 20)


@pytest.mark.parametrize("name", ["functional", pytest.param("lstm", marks=SLOW)])
def test_the_rate_of_dropout_can_be_changed(name: str) -> None:
    model, examples = CASES[name].make()
    changed = copy.deepcopy(model)
    for module in changed.modules():
        if isinstance(module, nn.LSTM):
            module.dropout = 0.1
    if name == "functional":
        changed = type("Changed", (Functional,), {})()
        changed.load_state_dict(model.state_dict())
        changed.eval()
        with pytest.MonkeyPatch.context() as patch:
            usual = nn.functional.dropout
            patch.setattr(nn.functional, "dropout", lambda x, _, **options: usual(x, 0.1, **options))
            own = own_passes(changed, [changed], examples[0], 2000)
    else:
        own = own_passes(changed, list(changed.modules()), examples[0], 2000)
    sampler, usual_sampler = Sampler(model, rate=0.1), Sampler(model)
    passes = sampler.sample(examples, passes=2000)[:, 0]
    np.testing.assert_allclose(passes.std(0), own.std(0), rtol=0.12)
    assert {layer.rate for layer in sampler.stochastic_layers} == {0.1}
    assert usual_sampler.sample(examples, passes=400)[:, 0].std(0).mean() > 1.3 * passes.std(0).mean()
    np.testing.assert_array_equal(sampler.deterministic(examples), usual_sampler.deterministic(examples))
    assert sampler.network.compute_digest() == usual_sampler.network.compute_digest()


def test_a_rate_that_cannot_be_changed_is_refused() -> None:
    alpha = nn.Sequential(nn.Linear(4, 8), nn.AlphaDropout(0.2), nn.Linear(8, 3))
    for model, examples in ((alpha, ROWS), CASES["branching"].make()):
        with pytest.raises(UnsuitableModelError, match="Leave the rate out"):
            Sampler(model, rate=0.3).deterministic(examples)


@dataclass
class Outputs:
    loss: torch.Tensor | None
    logits: torch.Tensor


@pytest.mark.parametrize(
    ("finish", "options"),
    [
        (lambda x: x.softmax(1), {}),
        (lambda x: Outputs(None, x), {}),
        pytest.param(lambda x: x, {}, marks=SLOW),
        pytest.param(lambda x: x.log_softmax(1), {}, marks=SLOW),
        pytest.param(lambda x: x.double().softmax(-1)[:, :] * 1.0, {}, marks=SLOW),
        pytest.param(lambda x: (2 * x, x), {"output": "1"}, marks=SLOW),
        pytest.param(lambda x: {"hidden": 2 * x, "logits": x}, {}, marks=SLOW),
        pytest.param(lambda x: {"hidden": 2 * x, "mine": x}, {"output": "mine"}, marks=SLOW),
        pytest.param(lambda x: x / 9, {"from_logits": True}, marks=SLOW),
    ],
)
def test_classes_come_as_logits_or_probabilities(finish: Any, options: dict[str, Any]) -> None:
    model = model_with(finish=lambda _, x: finish(x)).eval()
    sampler = Sampler(model, **options)
    with torch.no_grad():
        scores = Model().eval()(torch.tensor(ROWS))
    expected = (scores / 9 if options.get("from_logits") else scores).softmax(1)
    np.testing.assert_allclose(sampler.deterministic(ROWS), expected, atol=1e-6)
    assert sampler.sample(ROWS, passes=9).std(0).min() > 0


@pytest.mark.parametrize("from_logits", [None, True, False])
@pytest.mark.parametrize(
    ("finish", "message"),
    [
        (torch.sigmoid, "Several sigmoid outputs .* give task='multilabel', on the command line --task multilabel"),
        (lambda x: x / 9 + 0.4, "lie in 0 to 1 and do not sum to 1.* give task='multilabel', on the command line"),
        (lambda x: x.view(-1, 1, x.shape[1]), r"one row of class scores .*\(N, C\) of floats\. .*shape \(N, 1, \d\)"),
        (lambda x: x.view(-1, x.shape[1], 1, 1), r"shape \(N, \d, 1, 1\).* each pixel, give task='segmentation'"),
    ],
)
def test_outputs_that_are_no_classes_which_exclude_each_other_are_refused(
    finish: Any, message: str, from_logits: bool | None
) -> None:
    model = model_with(finish=lambda _, x: finish(x))
    with pytest.raises(UnsuitableModelError, match=message) as refused:
        Sampler(model, from_logits=from_logits).deterministic(ROWS)
    assert "from_logits" not in str(refused.value)


def test_one_probability_is_no_logit() -> None:
    model = model_with(finish=lambda _, x: x[:, :1].sigmoid())
    with pytest.raises(InvalidInputError, match="`from_logits` should be left out for a model that returns probab"):
        Sampler(model, from_logits=True).deterministic(ROWS)


class Gaussian(NamedTuple):
    mean: torch.Tensor
    log_variance: torch.Tensor


@pytest.mark.parametrize(
    "pair",
    one_in(4, [
        lambda mean, spread: (mean, spread),
        lambda mean, spread: (mean[:, 0], spread),
        Gaussian,
        lambda mean, spread: {"log_variance": spread, "features": 2 * mean, "mean": mean},
    ]),
)  # fmt: skip
def test_a_mean_and_its_spread_may_be_two_outputs(pair: Any) -> None:
    one = model_with(finish=lambda _, x: x[:, :2]).eval()
    two = model_with(finish=lambda _, x: pair(x[:, :1], x[:, 1:2])).eval()
    together, apart = (Sampler(each, task="regression", predicts="mean,log_variance") for each in (one, two))
    np.testing.assert_allclose(apart.deterministic(ROWS), together.deterministic(ROWS), rtol=1e-6)
    np.testing.assert_allclose(apart.sample(ROWS, passes=3), together.sample(ROWS, passes=3), rtol=1e-5)
    assert "of the model's " in apart.meaning.text
    assert apart.meaning.text.endswith("mean and log variance of 1 target")


def test_nothing_is_left_out_of_several_outputs_in_silence() -> None:
    model = model_with(finish=lambda _, x: (x[:, :1], x[:, 1:3], None))
    for options in ({}, {"task": "regression"}, {"output": "2"}):
        with pytest.raises(
            InvalidInputError, match=r"one of the model's 2 outputs: 0, 1\. Received: output="
        ) as refused:
            Sampler(model, **options).deterministic(ROWS)
        assert "--output 0. If they are the mean and the spread of a regression, say so by predicts" in str(
            refused.value
        )
    with pytest.raises(UnsuitableModelError, match=r"as many columns\. Received: 1 of 0, 2 of 1"):
        Sampler(model, task="regression", predicts="mean,std").deterministic(ROWS)
    logits = Sampler(model_with(finish=lambda _, x: Outputs(x, x)))
    logits.deterministic(ROWS)
    assert logits.meaning.text.startswith(
        "logits of the model's 2 outputs (loss, logits): 3 logits, of which a softmax"
    )
    assert not logits.meaning.guessed


def test_two_classes_by_one_number_and_by_two() -> None:
    one = model_with(finish=lambda _, x: x[:, :1].sigmoid()).eval()
    flat = model_with(finish=lambda _, x: x[:, 0]).eval()
    two = model_with(finish=lambda _, x: Outputs(None, x[:, :2])).eval()
    with torch.no_grad():
        scores = Model().eval()(torch.tensor(ROWS))
    for model, options in ((one, {}), (flat, {"from_logits": True})):
        predicted = Sampler(model, **options).deterministic(ROWS)
        np.testing.assert_allclose(predicted[:, 1], scores[:, 0].sigmoid(), atol=1e-6)
    np.testing.assert_allclose(Sampler(two).deterministic(ROWS), scores[:, :2].softmax(1), atol=1e-6)
    with pytest.raises(UnsuitableModelError, match="The model returns one number without a sigmoid"):
        Sampler(flat).deterministic(ROWS)


@pytest.mark.parametrize(
    "predicts",
    ["mean,log_variance", *(pytest.param(each, marks=SLOW) for each in ("mean", "mean,variance", "mean,std"))],
)
def test_a_regression_with_and_without_a_predicted_spread(predicts: str) -> None:
    model = model_with(finish=lambda _, x: x[:, :2].abs() + 1).eval()
    predicted = Sampler(model, task="regression", predicts=predicts).deterministic(ROWS)
    with torch.no_grad():
        own = model(torch.tensor(ROWS)).numpy()
    variance = {"mean,log_variance": np.exp, "mean,std": np.square}.get(predicts, lambda x: x)
    np.testing.assert_allclose(predicted, np.stack([own[:, 0], variance(own[:, 1])], 1), rtol=1e-6)
    if predicts == "mean":
        alone = Sampler(model_with(finish=lambda _, x: x[:, 0]), task="regression")
        assert alone.sample(ROWS, passes=3).shape == (3, 5, 1)


@pytest.mark.parametrize("kind", one_in(3, ["attribute", "entry", "literal", "eager", "in passes"]))
def test_tensors_that_are_neither_weights_nor_buffers_are_in_the_digest(kind: str, tmp_path: Path) -> None:
    def change(model: Model, x: torch.Tensor) -> torch.Tensor:
        if kind == "literal":
            return x * torch.tensor(model.number)
        if kind == "in passes" and not model.dropout.training:
            return branch(model, x)
        return (branch(model, x) if kind in ("eager", "in passes") else x) * model.held["scale"][0]

    def make(number: float) -> nn.Module:
        model = model_with(change=change)
        model.number, model.held = number, {"scale": (torch.tensor([number]),)}
        if kind == "attribute":
            model.held = {"scale": torch.tensor([number])}
        return model

    run = sample_run(make(2.0), ROWS, tmp_path / "run", passes=3)
    assert sample_run(make(2.0), ROWS, tmp_path / "run", passes=3).digest == run.digest
    with pytest.raises(RunExistsError, match=r"differs in: .*model"):
        sample_run(make(2.5), ROWS, tmp_path / "run", passes=6)


@pytest.mark.parametrize("change", [remember, lambda model, x: branch(model, remember(model, x))])
def test_what_a_model_keeps_of_a_call_is_not_in_the_digest(change: Any) -> None:
    digests = set()
    for called in (False, True):
        model = model_with(change=change)
        if called:
            model(torch.tensor(ROWS))
        digests.add(TorchNetwork(model, inputs=(InputSpec("x", (4,), "float32"),)).compute_digest())
    assert len(digests) == 1


def test_another_forward_gives_another_digest() -> None:
    def digest(**methods: Any) -> str:
        network = TorchNetwork(model_with(**methods), inputs=(InputSpec("x", (4,), "float32"),))
        return network.compute_digest()

    digests = [digest(), digest(change=lambda _, x: x.relu()), digest(finish=lambda _, x: (x, x.relu())[0])]
    assert digests[0] == digests[2] != digests[1]
    assert len({digest(change=lambda _, x, by=by: x * by if x.sum() > -1e9 else x) for by in (2, 3)}) == 2
    unseen = TorchNetwork(Model())
    with pytest.raises(UnsuitableModelError, match="has seen none"):
        unseen.compute_digest()
    Sampler(unseen).deterministic(ROWS)
    assert unseen.compute_digest() == digests[0]
    with torch.no_grad():
        unseen.model.calls += 1  # a buffer is a part of the model
    assert unseen.compute_digest() != digests[0]


@SLOW
def test_a_digest_is_the_same_in_another_process() -> None:
    program = (
        "from tests.sampling.torch.twins import *; from tests.sampling.fake import make_arrays;"
        "print(make_twin(make_arrays(), 'classification').compute_digest())"
    )
    digests = {
        subprocess.check_output([sys.executable, "-c", program], text=True, cwd=Path(__file__).parents[3])
        for _ in range(2)
    }
    assert len(digests) == 1


def test_features_are_the_inputs_of_the_last_dense_layer() -> None:
    model, images = CASES["functional"].make(130)
    with torch.no_grad():
        hidden = model.hidden(
            nn.functional.max_pool2d(model.norm(model.convolution(images)).relu(), 2).flatten(1)
        ).relu()
    np.testing.assert_allclose(Sampler(model).network.compute_features(images), hidden, atol=1e-5)


@SLOW
def test_a_cluster_makes_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # not the page that a test opened last
    options = {"passes": 30, "class_names": ["a", "b", "c", "d"], "keep_model": True}
    images = np.random.default_rng(0).random((40, 6, 5, 1), dtype=np.float32)
    model = "tests.sampling.torch.twins:build"
    alone = sample_run(model, images, tmp_path / "alone", **options)
    together = sample_run(model, images, tmp_path / "together", scheduler="local:2", **options)
    assert alone.digest == together.digest
    np.testing.assert_array_equal(alone.probs_block(0, None), together.probs_block(0, None))


def test_the_names_of_the_model_order_the_classes_and_labels_meet_them_by_name(tmp_path: Path) -> None:
    model = model_with(config=SimpleNamespace(id2label={2: "ant", 0: "cat", 1: "bee"}))
    labels = ["bee", "ant", "cat", "ant", "bee"]
    run = sample_run(model, (ROWS, labels), tmp_path / "by name", passes=2)
    assert (run.class_names, run.labels.tolist()) == (("cat", "bee", "ant"), [1, 2, 0, 2, 1])
    places = sample_run(model, (ROWS, [0, 1, 2, 2, 1]), tmp_path / "by place", passes=2)
    assert (places.class_names, places.labels.tolist()) == (("cat", "bee", "ant"), [0, 1, 2, 2, 1])
    others = [name.title() for name in labels]
    with pytest.raises(
        InvalidInputError, match=r"The model names its classes, and the data have others.*Ant, Bee, Cat"
    ):
        sample_run(model, (ROWS, others), tmp_path / "others", passes=2)
    renamed = {name.title(): name for name in labels}
    assert sample_run(model, (ROWS, others), tmp_path / "by name", passes=2, class_names=renamed).digest == run.digest
    given = sample_run(model, (ROWS, others), tmp_path / "given", passes=2, class_names=["Bee", "Ant", "Cat"])
    assert given.labels.tolist() == [0, 1, 2, 1, 0]
    made_up = model_with(config=SimpleNamespace(id2label={place: f"LABEL_{place}" for place in range(3)}))
    assert sample_run(made_up, (ROWS, labels), tmp_path / "made up", passes=2).class_names == ("ant", "bee", "cat")
