"""TensorFlow and torch take seconds and hundreds of megabytes: what only looks at a run never imports it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mcviz
from mcviz.extras import INSTALL_KERAS, INSTALL_TORCH

ROOT = Path(__file__).parents[1]
HEAVY = ("keras", "tensorflow", "torch", "streamlit")
LOOK_AT_THE_SHIPPED_RUN = """
run = mcviz.open_run("cache/mnist-cnn")
run.probs(0), run.images[0], run.labels, run.deterministic_probs, run.scores(), run.pass_accuracy, run.model_path
"""


LOOKING = [
    "",
    LOOK_AT_THE_SHIPPED_RUN,
    "from mcviz.cli import main; main(['trust', 'cache/mnist-cnn'])",
    "mcviz.ood(mcviz.open_run('cache/mnist-cnn')).table",
    "from mcviz.cli import main; main(['refer', 'cache/mnist-cnn', '--budget', '9'])",
    "from mcviz.runs.data_set import data_set_of; data_set_of(mcviz.open_run('cache/mnist-cnn'))",
    "import mcviz.sampling.run_sampling, mcviz.sampling.ood, mcviz.sampling.cluster, mcviz.sampling.checking",
    "from pathlib import Path; from mcviz.jobs import Jobs; Jobs(Path('cache')).tend()",
]


def imported_by(*codes: str) -> list[list[str]]:
    """What of the heavy packages is imported after one code, after the next, and so on, in one process."""
    program = f"""
import json, sys, mcviz
for code in {codes}:
    exec(code, {{"mcviz": mcviz, "sys": sys}})
    print("imported:", json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.partition("imported: ")[2] for line in result.stdout.splitlines()]
    return [json.loads(line) for line in lines if line]


@pytest.mark.parametrize(
    "codes",
    [
        LOOKING,
        pytest.param(["from mcviz.cli import main; main(['verify', 'cache/mnist-cnn'])"], marks=pytest.mark.slow),
    ],
    ids=["look", "verify"],
)
def test_looking_imports_none_of_it(codes):
    *imported, seen = imported_by(*codes, "sys.modules['tensorflow'] = sys")
    assert not any(imported), dict(zip(codes, imported, strict=True))
    assert seen == ["tensorflow"], "an import would be seen"


def test_the_first_page_waits_for_no_library_that_takes_long_to_import():
    program = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        "app = AppTest.from_file('dashboard.py', default_timeout=120).run(); assert not app.exception; "
        "assert app.title; "
        "print('sklearn' in sys.modules, 'scipy.stats' in sys.modules, 'tensorflow' in sys.modules)"
    )
    environment = {**os.environ, "MCVIZ_CACHE": str(ROOT / "cache")}
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=environment, text=True)
    assert printed.splitlines()[-1] == "False False False"


def test_the_probe_imports_it_before_there_is_an_input():
    code = "import mcviz, threading; from mcviz.app.kinds.base import import_ahead"
    code += f"; import_ahead(mcviz.open_run({str(ROOT / 'cache/mnist-cnn')!r}))"
    wait = "[thread.join() for thread in threading.enumerate() if thread is not threading.main_thread()]"
    (imported,) = imported_by(f"{code}\n{wait}")
    assert {"keras", "tensorflow"} <= set(imported)


def test_the_package_and_the_help_of_every_command_import_not_even_numpy():
    program = (
        "import sys; from mcviz.cli import commands, main; "
        "helps = [main([*name, '--help']) for name in ([], *([name] for name in commands.commands))]; "
        "print(len(helps), 'numpy' in sys.modules)"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    helps, imported = printed.splitlines()[-1].split()
    assert int(helps) > 15
    assert imported == "False"


def test_a_python_without_tensorflow_or_torch_is_told_what_to_type():
    uses = (
        "load_model", "train", "with_vocabulary", "Sampler(object())", "sample(object(), [[1.0]])",
        "sample_run('model.keras', [[1.0]], 'run')", "load_torch", "sample_run('a:b', [[1.0]], 'run')",
    )  # fmt: skip
    program = f"""
import mcviz, mcviz.extras
mcviz.extras.find_spec = {{"keras": None}}.get
for use in {uses}:
    try:
        eval(f"mcviz.{{use}}")
    except mcviz.MissingPackageError as error:
        print(isinstance(error, ImportError), error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    messages = done.stdout.splitlines()
    assert len(messages) == len(uses)
    for line, install in zip(messages, [INSTALL_KERAS] * 6 + [INSTALL_TORCH] * 2, strict=True):
        assert line.startswith("True ")
        assert line.endswith(f"Type: {install}")


def test_every_public_name_is_there():
    assert all(getattr(mcviz, name) is not None for name in {*mcviz.__all__} - {"load_torch"})
    assert set(mcviz.__all__) <= set(dir(mcviz))


def test_a_name_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(AttributeError, match="No mcviz attribute smaple"):
        mcviz.smaple  # noqa: B018
