"""TensorFlow and torch take seconds and hundreds of megabytes: what only looks at a run never imports it."""

import json
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

import mcviz
from mcviz.extras import INSTALL_KERAS, INSTALL_TORCH
from tests.runs.making import make

pytestmark = pytest.mark.xdist_group("imports")  # one process for all
ROOT = Path(__file__).parents[1]
HEAVY = {"keras", "tensorflow", "torch", "streamlit"}
CLUSTER = {"dask", "distributed"}
TABLES = {"pandas", "xarray", "pyarrow", "PIL"}
STORES = {"zarr", "fsspec"}  # Zarr, which may use fsspec, is imported for a pass, and no more
LOOKING = {  # code, and what is still not imported when it has run after all before it; SMALL is the path of a run
    "from mcviz.cli import commands; print([main([*each, '--help']) for each in [[], *zip(commands.commands)]])":
        {"numpy", *HEAVY, *CLUSTER},
    "import mcviz.runs; run = mcviz.runs.open_run(SMALL)": {*HEAVY, *CLUSTER, *TABLES, *STORES},
    "run.probs(3), run.images[2]": {*HEAVY, *CLUSTER, *TABLES},
    "import mcviz.sampling.run_sampling, mcviz.sampling.ood, mcviz.sampling.cluster, mcviz.sampling.checking":
        {*HEAVY, *CLUSTER},
    "run.labels, run.deterministic_probs, run.scores(), run.pass_accuracy, run.model_path": HEAVY,
    "assert main(['trust', SMALL]) == 0": HEAVY,
    "assert main(['refer', SMALL, '--budget', '2']) == 0": HEAVY,
    "mcviz.ood(mcviz.open_run('cache/mnist-cnn')).table": HEAVY,
    "from mcviz.runs.data_set import data_set_of; data_set_of(run)": HEAVY,
    "from pathlib import Path; from mcviz.jobs import Jobs; Jobs(Path('cache')).tend()": HEAVY,
}  # fmt: skip
USES = (
    "load_model", "train", "with_vocabulary", "Sampler(object())", "sample(object(), [[1.0]])",
    "sample_run('model.keras', [[1.0]], 'run')", "load_torch", "sample_run('a:b', [[1.0]], 'run')",
)  # fmt: skip
WITHOUT_FRAMEWORKS = f"""
from unittest.mock import patch
with patch("mcviz.extras.find_spec", {{"keras": None}}.get):
    for use in {USES}:
        try:
            eval(f"mcviz.{{use}}")
        except mcviz.MissingPackageError as error:
            print(isinstance(error, ImportError), error)
"""
AHEAD = """
import threading
from mcviz.app.kinds.base import import_ahead
before = {*threading.enumerate()}
import_ahead(mcviz.open_run("cache/mnist-cnn"))
[thread.join() for thread in {*threading.enumerate()} - before]
"""
WITH_STUB = f"sys.path.insert(0, STUB)\n{AHEAD}"  # with a module in the place of Keras
PROGRAM = """
import json, sys, mcviz
from mcviz.cli import main
codes, watched, names = json.loads(sys.argv[1])
names |= {"mcviz": mcviz, "sys": sys, "main": main}
for code in codes:
    exec(code, names)
    print("imported:", json.dumps([name for name in watched if name in sys.modules]), flush=True)
"""
Seen = dict[str, tuple[set[str], list[str]]]


def run_codes(*codes: str, watched: Collection[str] = HEAVY, **names: str) -> Seen:
    """Which of the watched packages are imported after one code, the next, and so on in one process; their lines."""
    given = json.dumps([codes, [*watched], names])
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    parts = re.split(r"^imported: (.*)\n", result.stdout, flags=re.MULTILINE)
    return {
        code: ({*json.loads(imported)}, printed.splitlines())
        for code, printed, imported in zip(codes, parts[::2], parts[1::2], strict=False)
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("imports")
    make(folder / "run")
    (folder / "keras.py").write_text("import sys\nsys.modules['tensorflow'] = sys\nraise ImportError")
    codes, watched = (*LOOKING, WITHOUT_FRAMEWORKS, WITH_STUB), set().union(*LOOKING.values())
    return run_codes(*codes, watched=watched, SMALL=str(folder / "run"), STUB=str(folder))


def test_looking_imports_none_of_it(seen: Seen):
    for code, without in LOOKING.items():
        assert not seen[code][0] & without, code
    (helps, *_) = seen.values()
    assert len(json.loads(helps[1][-1])) > 15


@pytest.mark.slow
def test_verifying_imports_none_of_it():
    ((imported, _),) = run_codes("assert main(['verify', 'cache/mnist-cnn']) == 0").values()
    assert not imported


def test_a_python_without_tensorflow_or_torch_is_told_what_to_type(seen: Seen):
    imported, messages = seen[WITHOUT_FRAMEWORKS]
    assert not imported & HEAVY
    for line, install in zip(messages, [INSTALL_KERAS] * 6 + [INSTALL_TORCH] * 2, strict=True):
        assert line.startswith("True ")
        assert line.endswith(f"Type: {install}")


def test_the_probe_imports_it_before_there_is_an_input(seen: Seen):
    assert "tensorflow" in seen[WITH_STUB][0]


@pytest.mark.slow
def test_the_probe_imports_keras_itself():
    ((imported, _),) = run_codes(AHEAD).values()
    assert {"keras", "tensorflow"} <= imported


def test_the_first_page_waits_for_no_library_that_takes_long_to_import():
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(ROOT / 'dashboard.py')!r}, default_timeout=120).run()\n"
        "assert app.title and not app.error"
    )
    ((imported, _),) = run_codes(code, watched=["sklearn", "scipy.stats", "tensorflow"]).values()
    assert not imported


def test_every_public_name_is_there():
    assert all(getattr(mcviz, name) is not None for name in {*mcviz.__all__} - {"load_torch"})
    assert set(mcviz.__all__) <= set(dir(mcviz))


def test_a_name_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(AttributeError, match="No mcviz attribute smaple"):
        mcviz.smaple  # noqa: B018
