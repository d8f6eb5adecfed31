"""The worked examples of CONTRIBUTING.md: their changes apply, their tests pass, and what they promise is there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from mcviz.runs.storage import SHIPPED_RUNS

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", GUIDE, re.DOTALL | re.MULTILINE))

CHANGES = {
    title: change
    for title, section in SECTIONS.items()
    for change in re.findall(r"```diff\n(.*?)```", section, re.DOTALL)
}

DASHBOARD = """
from streamlit.testing.v1 import AppTest
from tests.app.opening import assert_sound

def open_page(page, **query):
    app = AppTest.from_file("dashboard.py", default_timeout=120).run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"mcviz/app/pages/{page}.py").run()
    assert_sound(app)
    return app
"""

# What each example promises, as a script that is run in a copy of the project with the changes of all examples. The one
# that adds a run to those that the dashboard offers is the last.
PROMISES = {
    "A score": """
import mcviz

run = mcviz.open_run("cache/mnist-cnn")
expected = 1 - (run.mean_probs.astype(float) ** 2).sum(axis=1)
assert abs(run.scores()["gini_impurity"] - expected).max() < 1e-5
rankings = {box.label: box for box in open_page("explore").selectbox}["Rank by"].options
assert {"Gini impurity, highest first", "Gini impurity, lowest first"} <= set(rankings)
""",
    "A measure": """
import contextlib, io, json
from mcviz.cli import main

path, out = "cache/fashion-cnn", io.StringIO()
with contextlib.redirect_stdout(out):
    assert main(["trust", path, "--json", "--require", "macro_f1 >= 80%"]) == 0
    assert main(["compare", path, path, "--require", "macro_f1 not worse by 1%"]) == 0
found = json.JSONDecoder().raw_decode(out.getvalue())[0]["figures"]["ensemble"]["macro_f1"]
assert found["low"] < found["value"] < found["high"]
assert "macro F1" in out.getvalue()
charts = open_page("trust", run="fashion-cnn", details="figures").get("plotly_chart")
assert any("macro F1" in chart.proto.alt for chart in charts)
""",
    "A page": """
from mcviz.app.navigation import PAGES

assert "Labels" in [page.title for page in PAGES]
app = open_page("labels")
assert app.title[0].value == "Labels"
assert "Labels" in [link.proto.label for link in open_page("trust").get("page_link")]
""",
    "A view with a chart": """
app = open_page("explore", view="ranks")
spoken = [chart.proto.alt for chart in app.get("plotly_chart")]
assert "The share of mistakes around each rank by confidence." in spoken
""",
    "A filter": """
from tests.app.opening import open_popovers

app = open_page("explore", every="1000")
assert any("**10** of 10,000 examples" in each.value for each in app.markdown)
assert "one example in 1,000" in [button.label for button in app.button]
open_popovers(app)
app.run()
{each.label: each for each in app.number_input}["One example in"].set_value(500).run()
assert app.query_params["every"] == "500"
""",
    "An OOD detector": """
import numpy as np
from benchmarks import higher_moments as study
import mcviz

model, images = mcviz.load_model(study.MNIST / "model.keras"), np.zeros((3, 28, 28, 1), np.float32)
assert study.observe(model, images, passes=5)["scores"]["Max logit, dropout off"].shape == (3,)
""",
    "A kind of examples": """
import numpy as np, pandas as pd, mcviz
from mcviz.app.kinds import kind_renderer
from mcviz.sampling.adapters import load_stored

rows = pd.DataFrame(np.eye(7), columns=[str(hour) for hour in range(7)])
probs = np.random.default_rng(0).dirichlet(np.ones(3), (5, 7))
kinds = [mcviz.write_run("runs/" + name, probs, data=data).manifest.examples.kind
         for name, data in (("series", rows), ("rows", rows[rows.columns[::-1]]))]
assert kinds == ["series", "row"]
run = mcviz.open_run("runs/series")
assert type(kind_renderer(run)).__name__ == "SeriesRenderer"
assert (load_stored(run) == np.eye(7)).all()
mcviz.verify_run("runs/series")
""",
    "A kind that derives from none": """
import os
import keras, numpy as np, pandas as pd, mcviz
from mcviz.app.kinds import kind_renderer
from mcviz.runs.data_set import data_set_of

text = keras.Input((), dtype="string")
words = keras.layers.TextVectorization(vocabulary=["who", "where", "ann", "rome"], output_mode="multi_hot")(text)
answers = keras.layers.Dense(2, activation="softmax")
model = keras.Model(text, answers(keras.layers.Dropout(0.2)(words)))
answers.set_weights([np.array([[0, 0], [4, 0], [0, 0], [4, 0], [0, 4]]), np.zeros(2)])  # the answer ann is class 0
table = pd.DataFrame({"question": ["who", "where"] * 4, "answer": ["ann", "rome"] * 4, "label": [0, 1] * 4})
table.to_csv("pairs.csv", index=False)
run = mcviz.sample_run(model, "pairs.csv", "pairs/of-texts", passes=50)
assert (run.manifest.examples.kind, list(run.content)) == ("pair", ["question", "answer"])
assert run.mean_probs.argmax(axis=1).tolist() == [0, 1] * 4
assert mcviz.sample_run(model, data_set_of(run), "pairs-again", passes=50).digest == run.digest
mcviz.verify_run("pairs/of-texts")
assert kind_renderer(run).text(run, 1) == "where\\nrome"
os.environ["MCVIZ_CACHE"] = "pairs"
for page in ("overview", "explore", "example", "probe"):
    open_page(page, run="of-texts")
open_page("explore", view="map")
del os.environ["MCVIZ_CACHE"]
""",
    "An option of sample": """
import numpy as np
import mcviz
from click.testing import CliRunner
from mcviz.cli import commands, main
from mcviz.jobs.queue import JOB_ARGUMENTS

for name in ("sample", "check", "import"):
    assert "--last N" in CliRunner().invoke(commands, [name, "--help"]).output
np.save("passes.npy", np.random.default_rng(0).dirichlet(np.ones(3), (5, 4)))
np.savez("data.npz", x=np.arange(14.0).reshape(7, 2))
assert main("import passes.npy --data data.npz --last 4 --out last".split()) == 0
assert mcviz.open_run("last").content.iloc[0].tolist() == [6, 7]
assert "--last=" not in JOB_ARGUMENTS
""",
    "A column of dates": """
import os
import numpy as np, pandas as pd, mcviz
from mcviz.cli import main

columns = pd.DataFrame({"seen": pd.date_range("2025-11-20", periods=90)})
probs = np.random.default_rng(0).dirichlet(np.ones(3), (5, 90))
mcviz.write_run("dated/days", probs, labels=np.arange(90) % 3, columns=columns)
assert main(["trust", "dated/days", "--group", "seen", "--json"]) == 0
assert main(["share", "dated/days", "--to", "days.html"]) == 0
os.environ["MCVIZ_CACHE"] = "dated"
app = open_page("explore", columns='{"seen":["2026-01"]}')
assert any("**31** of 90 examples" in each.value for each in app.markdown)
del os.environ["MCVIZ_CACHE"]
""",
    "A distortion": """
import mcviz
from mcviz.kinds.image_distortions import DISTORTIONS

images = mcviz.uniform_noise(2, (28, 28, 1), seed=0)
assert DISTORTIONS["fade"].apply(images, 1, 0, images).std(axis=(1, 2, 3)).max() < 1e-6
app = open_page("probe", input="distortion", distortion="fade")
box = {box.label: box for box in app.selectbox}["Distortion"]
assert "Fade to grey" in box.options
assert box.value == "fade"
""",
    "A task": """
import numpy as np
import mcviz

passes = np.random.default_rng(0).dirichlet(np.ones(3), (6, 20))
mcviz.write_run("cache/ordered", passes, labels=np.arange(20) % 3, task="ordinal")
mcviz.verify_run("cache/ordered")
run = mcviz.open_run("cache/ordered")
assert mcviz.compare(run, run).in_words.startswith("Nothing changed: all 20 examples")
app = open_page("overview", run="ordered")
assert any("Rank std, highest first" in each.value for each in app.caption)
open_page("example", run="ordered")
""",
}

# Tests of what is named in one place, to which an example adds.
OF_REGISTRIES = [
    f"tests/{name}" for name in ("kinds", "tasks", "jobs/test_job.py", "test_options.py", "app/test_needs.py")
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the changes of all examples, where what is derived from its runs stays."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("mcviz", "benchmarks", "tests", ".streamlit", *(f"cache/{run.name}" for run in SHIPPED_RUNS)):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dashboard.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    for change in CHANGES.values():
        succeed("git", "apply", "--whitespace=error", folder=folder, given=change)
    return folder


def succeed(*command: str, folder: Path, given: str | None = None) -> None:
    variables = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "PYTHONPATH": str(folder)}
    variables.pop("MCVIZ_CACHE", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        input=given,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def test_the_table_at_the_top_leads_to_every_example() -> None:
    examples = {title for title, text in SECTIONS.items() if re.search(r"```(diff|python)\n", text)}
    assert examples == {*PROMISES, "A kind of stochastic layer"} == {*CHANGES, "A kind of stochastic layer"}
    top = GUIDE.partition("\n## ")[0].lower()
    assert all(f"[{title.lower()}](#{title.lower().replace(' ', '-')})" in top for title in examples)


def files_of(changes: Iterable[str], pattern: str) -> list[str]:
    return [file for change in changes for file in re.findall(rf"^\+\+\+ b/({pattern})", change, re.MULTILINE)]


def test_every_example_applies_with_one_test_and_in_the_style_of_the_rest(project: Path) -> None:
    for change in CHANGES.values():
        assert len(files_of([change], r"tests/\S+")) == 1
        assert len(re.findall(r"^\+def test_", change, re.MULTILINE)) == 1
    changed = files_of(CHANGES.values(), r"\S+\.py")
    succeed(sys.executable, "-m", "ruff", "check", *changed, folder=project)
    succeed(sys.executable, "-m", "ruff", "format", "--check", *changed, folder=project)


@pytest.mark.slow
def test_the_tests_of_the_examples_and_of_what_is_registered_pass(project: Path) -> None:
    tests = {*files_of(CHANGES.values(), r"tests/\S+"), *OF_REGISTRIES}
    succeed(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests, folder=project)


@pytest.mark.slow
def test_every_example_keeps_its_promise(project: Path) -> None:
    script = project / "promises.py"
    script.write_text(
        f"{DASHBOARD}\nfor title, promise in {PROMISES!r}.items():\n"
        "    exec(compile(promise, title, 'exec'), {'open_page': open_page})\n",
        encoding="utf-8",
    )
    succeed(sys.executable, str(script), folder=project)


@pytest.mark.slow
def test_a_layer_of_one_s_own_draws_without_a_change_of_mcviz(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", SECTIONS["A kind of stochastic layer"], re.DOTALL)
    (tmp_path / "test_scale_noise.py").write_text(snippet, encoding="utf-8")
    succeed(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(tmp_path), folder=ROOT)


@pytest.mark.slow
def test_chosen_files_pass_in_any_order() -> None:
    files = "tests/app/test_needs.py", "tests/test_options.py", "tests/app/test_kinds.py"
    chosen = *files, "-k", "address_whose"
    succeed(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *chosen, folder=ROOT)
