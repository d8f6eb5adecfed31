"""A run of a PyTorch model names code: it is imported where the operator named its package, and must be the run's."""

import json
import os
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import mcviz
from mcviz.cli import main
from mcviz.errors import (
    CorruptRunError,
    DataNotFoundError,
    InvalidInputError,
    MissingPackageError,
    UnsuitableModelError,
)
from mcviz.extras import import_function
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import options_of_more
from mcviz.options import ModelOptions, TaskOptions, format_arguments
from mcviz.runs import Run
from mcviz.sampling.base import ModelSpec, Network
from mcviz.sampling.loading import load_run_sampler, load_sampler
from tests.app.opening import opened_page
from tests.app.probing import words
from tests.cases import only
from tests.requiring import require_torch
from tests.runs.sealing import reseal

require_torch("safetensors")

import safetensors.torch  # noqa: E402
import torch  # noqa: E402

from mcviz.sampling.torch.model_files import read_arguments  # noqa: E402
from tests.sampling.torch import pretend  # noqa: E402

MODELS = """
import torch

CALLED = []

class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)  # with some weights, no unit is ever above 0
        self.first = torch.nn.Linear(4, 4)
        self.again = self.first
        self.norm = torch.nn.BatchNorm1d(4)
        self.drop = torch.nn.Dropout(0.5)
        self.last = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.drop(self.norm(self.again(self.first(x).relu()).relu())))

def build():
    CALLED.append(1)
    return Tied()

def flat():
    return torch.nn.Sequential(torch.nn.Flatten(), Tied())

def fails():
    raise RuntimeError("no such architecture")

def number():
    return 3
"""
DATA = """
from subprocess import getoutput

def scale(row):
    return row / 10
"""
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32), columns=list("abcd"))


@pytest.fixture(scope="module")
def folder_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package `birds` of the user's, weights, a table, and a run of a model with a transform."""
    folder = tmp_path_factory.mktemp("folder_of_a_run")
    (folder / "birds").mkdir()
    for name, source in (("__init__", ""), ("models", MODELS), ("data", DATA)):
        (folder / "birds" / f"{name}.py").write_text(source)
    ROWS.assign(label=[0, 1, 2, 0, 1] * 4).to_csv(folder / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        use(folder, patch)
        torch.manual_seed(0)
        module = mcviz.load_torch("birds.models:build").model
        module.norm.running_mean.fill_(0.25)
        safetensors.torch.save_model(module, "birds.safetensors")
        torch.save(module.state_dict(), "birds.pt")
        mcviz.sample_run(load(transform="birds.data:scale"), "rows.csv", "run", passes=6)
    return folder


@pytest.fixture
def package(folder_of_a_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package, which nobody has imported yet, in a copy of that folder, which is the working directory."""
    shutil.copytree(folder_of_a_run, tmp_path / "copy")
    use(tmp_path / "copy", monkeypatch)
    yield tmp_path / "copy/birds"
    forget()


@pytest.fixture
def run(package: Path) -> Run:
    return mcviz.open_run("run")


def use(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Start afresh in a folder, as a new process would."""
    forget()
    patch.chdir(folder)
    patch.syspath_prepend(str(folder))
    patch.setattr(sys, "dont_write_bytecode", True)
    patch.setenv("MCVIZ_IMPORT", "")


def forget() -> None:
    """Let Python read the package anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "birds"]:
        del sys.modules[name]


def load(**options: object) -> Network:
    return mcviz.load_torch("birds.models:build", weights="birds.safetensors", **options)


def refused(path: str, modules: str = "birds") -> str:
    os.environ["MCVIZ_IMPORT"] = modules
    with pytest.raises(UnsuitableModelError) as refusal:
        load_run_sampler(mcviz.open_run(path))
    return str(refusal.value)


def test_what_was_sampled_is_opened_again_where_its_package_is_named(run: Run, monkeypatch) -> None:
    for modules in ("birds", "birds.models birds.data"):
        monkeypatch.setenv("MCVIZ_IMPORT", modules)
        sampler = load_run_sampler(run)
        passes = sampler.sample(ROWS.to_numpy(), passes=6)
        np.testing.assert_allclose(passes, run.predictions_block(0, None), atol=1e-5)
    assert (run.manifest.model.backend, run.manifest.model.function) == ("torch", "birds.models:build")
    assert run.model_path.endswith("model.safetensors")


@pytest.mark.parametrize("modules", ["", "bird", "birdsong", "birds.data", "birds.models", "birds.models:build", "os"])
def test_nothing_is_imported_that_the_operator_has_not_named(run: Run, monkeypatch, modules: str) -> None:
    monkeypatch.setattr("mcviz.sampling.loading.import_modules", lambda _: None)  # which some of these are not
    refusal = refused(run.path, modules)
    assert "`--import birds`, or with `MCVIZ_IMPORT='birds'`" in refusal
    assert not any(name.startswith("birds") for name in sys.modules)


@pytest.mark.parametrize(
    "name", ["os:system", "posix:_exit", "antigravity:webbrowser", "birdsong.models:build", "birds.models:build"]
)
@pytest.mark.parametrize("field", ["function", "transform"])
def test_a_run_that_names_other_code_imports_none_of_it(run: Run, monkeypatch, field: str, name: str) -> None:
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("it was called"))
    reseal(Path(run.path), lambda content: content["model"].update({field: name}))
    named = "json" if name.startswith("birds.") else "birds"
    assert name in refused(run.path, named)
    assert not {"antigravity", "birdsong", "birds.models", "birds.data"} & set(sys.modules)


@pytest.mark.parametrize("field", ["function", "transform"])
def test_a_run_calls_nothing_that_a_named_package_only_imported(run: Run, monkeypatch, field: str) -> None:
    """Or else an example would be the command of a shell."""
    monkeypatch.setattr("subprocess.getoutput", lambda *_: pytest.fail("it was called"))
    sys.modules["subprocess"].getoutput.__module__ = "subprocess"
    reseal(Path(run.path), lambda content: content["model"].update({field: "birds.data:getoutput"}))
    monkeypatch.setenv("MCVIZ_IMPORT", "birds")
    with pytest.raises(InvalidInputError, match=r"Received: birds\.data:getoutput, which subprocess defines"):
        load_run_sampler(mcviz.open_run(run.path))
    assert callable(
        import_function("birds.data:getoutput", ("birds", "subprocess"))
    )  # which the operator may name, too


@pytest.mark.parametrize("said", [{"backend": "keras"}, {"stored": False}, {"backend": "keras", "function": ""}])
def test_what_else_a_run_says_opens_no_way_to_its_code(run: Run, said: dict[str, object]) -> None:
    manifest = replace(run.manifest, model=replace(run.manifest.model, **said))
    with pytest.raises(UnsuitableModelError, match=r"start again with `--import birds`|does not name the function"):
        read_arguments(ModelOptions(run.model_path), TaskOptions(), SimpleNamespace(manifest=manifest))
    assert not any(name.startswith("birds") for name in sys.modules)


@pytest.mark.parametrize(
    "name", ["os", "os.system", ":system", "os:", "os:system:x", "os: system", "birds.__main__:x", "../birds:build"]
)
def test_a_run_that_names_no_function_at_all_is_damaged(run: Run, name: str) -> None:
    reseal(Path(run.path), lambda content: content["model"].update(function=name))
    with pytest.raises(CorruptRunError, match="its model names no functions"):
        mcviz.open_run(run.path)


def change_body(package: Path) -> None:
    source = (package / "models.py").read_text()
    (package / "models.py").write_text(source.replace("self.again(", "2 * self.again("))


def change_rate(package: Path) -> None:
    source = (package / "models.py").read_text()
    (package / "models.py").write_text(source.replace("Dropout(0.5)", "Dropout(0.4)"))


def change_transform(package: Path) -> None:
    (package / "data.py").write_text(DATA.replace("/ 10", "/ 10.5"))


def change_shape(package: Path) -> None:
    (package / "models.py").write_text(MODELS.replace("Linear(4, 3)", "Linear(4, 5)"))


def change_weights(package: Path, **metadata: str) -> None:
    """Change the run's own, or what they say, with all checksums."""
    from mcviz.runs.arrays import describe_file

    path = package.parent / "run/model.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        said, tensors = file.metadata(), {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    tensors["last.bias"][0] += 0 if metadata else 1e-6
    safetensors.torch.save_file(tensors, path, metadata=said | metadata)
    there = describe_file(path.read_bytes())
    reseal(
        package.parent / "run",
        lambda content: content["files"]["model.safetensors"].update(bytes=there.bytes, sha256=there.sha256),
    )


COMPUTES_OTHERWISE = "computes otherwise, or has other weights"
CHANGES = [
    (change_body, COMPUTES_OTHERWISE),
    (change_transform, "predicts otherwise for the first 8 examples"),
    (change_weights, COMPUTES_OTHERWISE),
    (change_rate, COMPUTES_OTHERWISE),
    (change_shape, r"no weights of the module, which is a Tied\. .*last\.weight"),
]


@pytest.mark.parametrize(("change", "message"), only(CHANGES[:3], CHANGES))
def test_code_or_weights_that_are_not_the_run_s_any_more_are_refused(
    run: Run, package: Path, change: Callable[[Path], None], message: str
) -> None:
    change(package)
    assert re.search(message, refused(run.path))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [([[4]] * 100_000, "they name 100,000 inputs, and at most 100"), ([[10**7]], "has 10,000,000 values, and at most")],
)
def test_weights_that_say_more_than_a_model_takes_are_refused_before_memory_is(
    run: Run, package: Path, shapes: list[list[int]], message: str
) -> None:
    inputs = [{"name": f"x{place}", "shape": shape, "dtype": "float32"} for place, shape in enumerate(shapes)]
    change_weights(package, inputs=json.dumps(inputs))
    assert message in refused(run.path)


@pytest.mark.slow
def test_a_run_without_its_examples_cannot_be_compared(package: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (12, 2, 2, 1), np.uint8)
    bare = mcviz.sample_run(mcviz.load_torch("birds.models:flat"), pictures, "bare", passes=6, keep_images=False)
    assert "kept without its examples" in refused(bare.path)


def test_a_model_that_was_given_other_arrays_than_the_run_has_is_not_asked(run: Run) -> None:
    reseal(Path(run.path), lambda content: content.update(inputs_sha256="0" * 64))
    assert "arrays that are not in the run" in refused(run.path)


def test_a_run_that_does_not_name_its_transform_is_not_asked(run: Run) -> None:
    reseal(Path(run.path), lambda content: content["model"].update(transform=""))
    assert "does not name the transform of its examples" in refused(run.path)
    with pytest.raises(UnsuitableModelError, match="does not name the transform"):
        mcviz.Sampler.for_run(load().model, mcviz.open_run(run.path))


def test_a_file_that_lies_elsewhere_is_damage(run: Run, tmp_path: Path) -> None:
    shutil.move(run.model_path, tmp_path / "elsewhere")
    (Path(run.path) / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptRunError):
        load_run_sampler(mcviz.open_run(run.path))


def test_a_module_without_a_function_is_kept_and_the_remedy_told(package: Path) -> None:
    kept = mcviz.sample_run(load().model, "rows.csv", "in-memory", passes=6)
    assert "mcviz.load_torch('package.module:function'" in refused(kept.path)
    state = load().model.state_dict()
    again = mcviz.load_torch("birds.models:build", weights=state)
    np.testing.assert_array_equal(mcviz.Sampler(again).deterministic(ROWS.to_numpy()), kept.deterministic_predictions)


@pytest.mark.parametrize("name", ["model", "state_dict"])
def test_the_weights_in_a_checkpoint_are_found(package: Path, name: str) -> None:
    state = load().model.state_dict()
    state["last.bias"] = torch.tensor([1.0, 2.0, 3.0])
    torch.save({name: state, "optimizer": {"lr": 0.1}, "epoch": 3}, "checkpoint.pt")
    for weights in ("checkpoint.pt", {name: state}):
        loaded = mcviz.load_torch("birds.models:build", weights=weights).model
        assert loaded.last.bias.tolist() == [1, 2, 3]


@pytest.mark.slow
def test_the_file_of_a_run_has_the_same_bytes_each_time_and_loads_as_weights(run: Run) -> None:
    content = Path(run.model_path).read_bytes()
    network = load(transform="birds.data:scale")
    mcviz.Sampler(network).deterministic(ROWS.to_numpy())
    assert network.save() == content
    again = mcviz.load_torch("birds.models:build", weights=run.model_path).model.state_dict()
    for name, tensor in load().model.state_dict().items():
        assert torch.equal(again[name], tensor), name


class Code:
    def __reduce__(self):
        return os.system, ("touch executed",)


def cut(path: Path) -> None:
    path.write_bytes(Path("birds.safetensors").read_bytes()[:-7])


def compress(path: Path) -> None:
    torch.save({"last.weight": torch.zeros(100_000)}, path)
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, each in content.items():
            file.writestr(name, each)


def other_names(path: Path) -> None:
    torch.save({"elsewhere.weight": torch.zeros(4, 4)}, path)


def other_shapes(path: Path) -> None:
    torch.save(torch.load("birds.pt", weights_only=True) | {"last.bias": torch.zeros(4)}, path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("m.pt", lambda path: torch.save(torch.nn.Linear(2, 2), path), "pickled module, which is code"),
        ("m.pth", lambda path: torch.save({"weights": Code()}, path), "pickled module, which is code"),
        ("m.pt", lambda path: path.write_bytes(b"x" * 99), "damaged"),
        ("m.pt", lambda path: torch.save([1], path), "is no state_dict of a module, and no checkpoint"),
        ("m.pt", lambda path: torch.save({1: torch.zeros(2)}, path), "no checkpoint with one under .* with 1"),
        ("m.pt", lambda path: torch.save({"net": {"w": torch.zeros(2)}, "epoch": 3}, path), "with net, epoch"),
        (
            "m.pt",
            lambda path: torch.save({key: {"w": torch.zeros(2)} for key in ("model", "state_dict")}, path),
            "Several of state_dict and model are one",
        ),
        ("m.pt", compress, "compressed, to a [0-9]+th of what it would take"),
        ("m.pt", other_names, "no weights of the module.*elsewhere"),
        ("m.pt", other_shapes, r"no weights of the module.*last\.bias"),
        ("m.safetensors", cut, "no weights of the module"),
        ("m.safetensors", lambda path: path.write_bytes(b"\xff" * 99), "no weights of the module"),
        ("m.safetensors", os.mkfifo, "regular file"),
    ],
)
def test_weights_that_are_none_are_refused_and_no_code_is_run(
    package: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    make(Path(name))
    with pytest.raises((UnsuitableModelError, InvalidInputError), match=message):
        mcviz.load_torch("birds.models:build", weights=name)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("birds.models:fails", InvalidInputError, r"birds\.models:fails\(\) fails.*no such architecture"),
        ("sys:exit", InvalidInputError, r"sys:exit\(\) fails.*SystemExit"),
        ("birds.models:number", UnsuitableModelError, r"should return a torch\.nn\.Module\. Received: int"),
        ("birds.models:absent", InvalidInputError, "has no function of that name. Received: absent"),
        ("birds.absent:build", MissingPackageError, "cannot be imported"),
        ("birds.models.build", InvalidInputError, "named as package.module:function"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(package: Path, function: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        mcviz.load_torch(function)
    with pytest.raises(DataNotFoundError, match="no weights at that place"):
        mcviz.load_torch("birds.models:build", weights="absent.safetensors")


@pytest.mark.parametrize("name", ["birds.safetensors", "birds.pt"])
def test_a_file_of_weights_alone_says_what_is_missing(package: Path, name: str, capsys) -> None:
    assert main(["sample", "--model", name, "--data", "rows.csv", "--out", "run"]) == 2
    errors = capsys.readouterr().err
    assert "the function that builds the model is missing: give --model package.module:function --weights" in errors
    assert errors.count("\n") == 1


def test_a_function_that_ends_the_process_ends_no_command_with_success(package: Path, capsys) -> None:
    assert main(["sample", "--model", "sys:exit", "--data", "rows.csv", "--out", "run"]) == 2
    assert "sys:exit() fails" in capsys.readouterr().err


def test_options_of_the_other_framework_are_refused(package: Path) -> None:
    for options in (
        ModelOptions("birds.models:build", vocabulary=("a",)),
        ModelOptions("birds.models:build", trust_model=True),
    ):
        with pytest.raises(InvalidInputError, match="left out for a model of PyTorch"):
            load_sampler(ModelSpec(options, TaskOptions()))


@pytest.mark.slow
def test_commands_name_the_device_first_and_the_model_of_a_run_computes_there_or_where_it_is_told(
    package: Path, monkeypatch, capsys
) -> None:
    pretend.register()
    monkeypatch.setenv("MCVIZ_IMPORT", "birds")
    typed = ["--model", "birds.models:build", "--data", "rows.csv", "--device"]

    def say(*command: str) -> list[str]:
        assert main(list(command)) == 0
        return capsys.readouterr().out.splitlines()

    assert say("check", *typed, "pretend")[0] == "device: pretend:0, as chosen"
    sampled = ["sample", *typed, "auto", "--out", "placed", "--passes"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert say("sample", *typed, "pretend", "--out", "placed", "--passes", "2")[0] == "device: pretend:0, as chosen"
    lines = say(*sampled, "4")
    assert lines[0] == "device: cpu, PyTorch sees no CUDA"
    assert "device: pretend, as the run that is there" in lines
    run = mcviz.open_run("placed")
    assert (run.passes, run.manifest.origin.device) == (4, "pretend")
    assert load_run_sampler(run).device == "pretend"
    monkeypatch.setenv("MCVIZ_DEVICE", "cpu")
    assert load_run_sampler(run).device == "cpu"


@pytest.mark.slow
def test_by_commands_a_run_is_sampled_grown_and_checked(package: Path, monkeypatch, capsys) -> None:
    typed = ["--model", "birds.models:build", "--transform", "birds.data:scale", "--data", "rows.csv"]
    for weights, out, passes in (("birds.pt", "grown", "6"), ("birds.safetensors", "whole", "12")):
        assert main(["sample", *typed, "--weights", weights, "--out", out, "--passes", passes]) == 0
        forget()
    more = ["sample", "--model", "grown", "--data", "grown", "--out", "grown", "--passes", "12"]
    assert main(more) == 2, "its package is not named"
    assert "--import birds" in capsys.readouterr().err
    assert main([*more, "--import", "birds"]) == 0
    grown, whole = mcviz.open_run("grown"), mcviz.open_run("whole")
    assert grown.digest == whole.digest
    np.testing.assert_array_equal(grown.predictions_block(0, None), whole.predictions_block(0, None))
    monkeypatch.setenv("MCVIZ_IMPORT", "birds")
    assert load_run_sampler(grown).deterministic(ROWS.to_numpy()).shape == (20, 3)
    assert main(["check", "--model", "grown", "--data", "rows.csv"]) == 0
    assert "Dropout" in capsys.readouterr().out
    assert main([*more, "--import", "birds", "--weights", "birds.pt"]) == 2
    errors = capsys.readouterr().err
    assert "--weights is left out where the model is that of a run" in errors
    assert f"--model birds.models:build --weights {grown.model_path}" in errors
    rated = ["sample", "--model", "grown", "--data", "grown", "--out", "rated", "--rate", "0.2", "--import", "birds"]
    assert main([*rated, "--passes", "6"]) == 0
    forget()
    network = mcviz.load_torch("birds.models:build", weights="birds.pt", transform="birds.data:scale", rate=0.2)
    assert mcviz.sample_run(network, grown, "again", passes=6).digest == mcviz.open_run("rated").digest
    with pytest.raises(InvalidInputError, match=r"mcviz\.load_torch.'package.module:function', rate="):
        mcviz.sample_run(network, grown, "again", passes=6, rate=0.4)


@pytest.mark.parametrize("command", only(["ood run"], ["ood run", "refer others --calibrated-on run --accuracy 0.01"]))
def test_commands_that_ask_the_model_take_the_package_that_they_tell_to_name(
    package: Path, command: str, capsys
) -> None:
    if command.startswith("refer"):
        mcviz.sample_run(load(transform="birds.data:scale"), ROWS[:5], "others", passes=2)
        forget()
    for options, told in (([], "start again with `--import birds`"), (["--import", "birds"], "of 20 examples. Sample")):
        main([*command.split(), *options])
        assert told in capsys.readouterr().err


@pytest.mark.slow
def test_pages_ask_the_model_where_its_package_is_named_and_say_so_elsewhere(
    run: Run, tmp_path: Path, monkeypatch
) -> None:
    shutil.copytree(run.path, tmp_path / "runs/run")  # code is not looked for where runs are
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "runs"))
    for part in ("noise", "detectors"):
        assert "--import birds" in words(opened_page("probe", {"run": "run", "input": part}))
    assert not any(name.startswith("birds") for name in sys.modules)
    monkeypatch.setenv("MCVIZ_IMPORT", "birds")
    app = opened_page("probe", {"run": "run", "seed": "0"})
    assert "The ensemble predicts" in words(app)


@pytest.mark.slow
def test_a_job_adds_passes_only_where_the_package_is_named(run: Run, monkeypatch) -> None:
    for modules, state, passes in (("", "failed", 6), ("birds", "finished", 12)):
        monkeypatch.setenv("MCVIZ_IMPORT", modules)
        jobs = Jobs(Path())
        job = jobs.add("sample", format_arguments(options_of_more(run, seed=0, passes=12)), "run", "more")
        while jobs.find(job.id).is_open:
            jobs.tend()
            time.sleep(0.2)
        assert jobs.find(job.id).state == state, jobs.find(job.id).message
        jobs.forget(job.id)
        assert mcviz.open_run("run").passes == passes
