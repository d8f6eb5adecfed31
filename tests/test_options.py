"""An option is declared once: commands read what jobs and pages write, and `sample_run` takes it."""

import inspect
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest

import mcviz
from mcviz.cli import commands, sample
from mcviz.cli.usage import add_options
from mcviz.data import as_data_set
from mcviz.options import (
    CheckOptions,
    ColumnOptions,
    DataOptions,
    ImportOptions,
    ModelOptions,
    OverviewOptions,
    PreprocessingOptions,
    RunOptions,
    SampleOptions,
    TaskOptions,
    all_option_fields,
    format_arguments,
    option_fields,
)

GROUPS = {"sample": SampleOptions, "check": CheckOptions, "import": ImportOptions}
COLUMNS = ColumnOptions(
    label_column=("a", "b"), id_column="c", picture_column="d", text_column="e", feature_columns=("f",)
)
OPTIONS = SampleOptions(
    passes=7,
    masks="per_example",
    seed=3,
    scheduler="local:2",
    keep_model=False,
    model=ModelOptions(
        "m.keras", output="head", rate=0.25, from_logits=True, trust_model=True, modules=("layers", "more")
    ),
    task=TaskOptions("regression", "mean,std"),
    data=DataOptions(
        "d.csv",
        class_names=("cat", "dog"),
        unit="mg/dl",
        skip_broken=True,
        first=5,
        only=(3, 1, 4),
        columns=COLUMNS,
        scaler="s.npz",
        target_scaler="t.npz",
    ),
    preprocessing=PreprocessingOptions(
        preprocess="tf",
        scale=127.5,
        mean=(0.1, 1e-9),
        std=(2.0,),
        channel_order="bgr",
        crop=True,
        preprocessed=True,
    ),
    run=RunOptions("run", about=(("source", "a=b"), ("licence", "none")), resume=False, keep_images=False),
)


def read(*arguments: str) -> SampleOptions:
    held: list[SampleOptions] = []

    @click.command()
    @add_options(SampleOptions, required=["model"])
    def command(options: SampleOptions) -> None:
        held.append(options)

    command.main(arguments, standalone_mode=False)
    return held[0]


def test_what_is_formatted_is_read_again() -> None:
    for options in (OPTIONS, replace(OPTIONS, overview=OverviewOptions(noise=True))):
        assert read(*format_arguments(options)) == options
    usual = read("--model=m.keras")
    assert usual == SampleOptions(
        model=ModelOptions("m.keras"),
        task=TaskOptions(),
        data=DataOptions(),
        preprocessing=PreprocessingOptions(),
        run=RunOptions(),
    )
    assert format_arguments(usual) == (
        "--passes=500", "--masks=per_pass", "--model=m.keras", "--device=auto", "--task=classification",
        "--predicts=mean", "--seed=0",
    )  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_a_command_has_the_options_of_its_groups_and_no_other(name: str) -> None:
    declared = [each.field for each in all_option_fields(GROUPS[name])]
    own = [each.name for each in commands.commands[name].params if isinstance(each, click.Option)]
    assert sorted(own) == sorted(declared)
    assert len(set(declared)) == len(declared)


def test_a_page_has_a_field_for_nothing_that_a_job_may_not_set() -> None:
    assert all(each.option.job for each in all_option_fields(SampleOptions) if each.option.label)


def test_how_a_run_is_sampled_can_be_said_in_python_too() -> None:
    parameters = inspect.signature(mcviz.sample_run).parameters
    for each in (*option_fields(SampleOptions), *option_fields(RunOptions)):
        default = parameters[each.field].default
        assert default in (inspect.Parameter.empty, None) or default == each.default


def test_the_command_gives_all_of_it_to_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(sample, "sample_run", lambda *_, **options: given.update(options))
    monkeypatch.setattr(sample, "say_run", lambda _: None)
    sampler, examples = SimpleNamespace(description=lambda: ""), as_data_set(np.zeros((1, 2, 2), np.uint8))
    monkeypatch.setattr(sample, "_load_model_and_data", lambda *_: (sampler, examples, None))
    options = replace(OPTIONS, scheduler=None)
    with click.Context(commands):
        sample.sample(options)
    own = [each.field for each in option_fields(SampleOptions)]
    assert {name: given[name] for name in own} == {name: getattr(options, name) for name in own}
    assert given["about"] == {"source": "a=b", "licence": "none"}
    assert not given["resume"]
    assert not given["keep_images"]
