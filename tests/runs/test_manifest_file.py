"""Whatever a manifest is made to say, with a right checksum: it is refused, or the run gives the numbers it has."""

import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcviz.errors import CorruptRunError, InvalidInputError, PartialRunError
from mcviz.runs import list_runs, open_run
from tests.cases import one_in
from tests.runs.making import FORMS, make, numbers
from tests.runs.sealing import replace_file, reseal

pytestmark = pytest.mark.attack
EXAMPLES = 3 * settings.default.max_examples // 2


def places(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all that a manifest says."""
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield (*way, key)
        yield from places(content[key], (*way, key))


def inside(content: Any, way: tuple[Any, ...]) -> Any:
    for key in way:
        content = content[key]
    return content


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 20),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=5),
    st.sampled_from(
        [
            "",
            "..",
            "/etc/passwd",
            "a/b",
            "a\0b",
            "\ud800",
            "image",
            "float32",
            "partial",
            "label",
            "margin",
            "row",
            "id",
        ]
    ),
    st.lists(st.integers(0, 5), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.mark.parametrize("name", one_in(5, FORMS))
@settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_field_changed(finished_runs: dict[str, Path], name: str, data: st.DataObject) -> None:
    whole = finished_runs[name]
    content = json.loads((whole / "manifest.json").read_bytes())
    del content["digest"], content["checksum"]
    for way in data.draw(st.lists(st.sampled_from(list(places(content))), min_size=1, max_size=2)):
        try:
            outer, here = inside(content, way[:-1]), inside(content, way)
        except (KeyError, IndexError, TypeError):
            continue  # what the first change has left of it
        elsewhere = st.sampled_from(list(places(content))).map(lambda other: copy.deepcopy(inside(content, other)))
        changes = [values, elsewhere]
        if isinstance(here, list):
            changes += [st.permutations(here), st.just([*here, *here[:1]])]
        outer[way[-1]] = data.draw(st.one_of(changes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.runs.storage.LocalFolder.read", reading((whole / "manifest.json"), content))
        try:
            result = numbers(open_run(whole))
        except (CorruptRunError, PartialRunError, InvalidInputError) as error:
            str(error).encode()
        else:
            assert result == truth_of(whole)


@cache
def truth_of(whole: Path) -> dict[str, Any]:
    return numbers(open_run(whole))


def reading(file: Path, content: dict[str, Any]) -> Callable[..., bytes]:
    """Stands in for the reading of files, and gives a manifest that was changed and sealed again."""
    from mcviz.runs.storage import LocalFolder

    read = LocalFolder.read
    there = file.read_bytes()
    reseal(file.parent, lambda manifest: (manifest.clear(), manifest.update(content)))
    changed = file.read_bytes()
    file.write_bytes(there)

    def instead(folder: LocalFolder, name: str, *arguments: Any) -> bytes:
        return changed if name == "manifest.json" else read(folder, name, *arguments)

    return instead


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (lambda m: m["scores"].reverse(), r"scores\.parquet is damaged: it has 11 rows of"),
        (lambda m: m["scores"].__setitem__(0, "../x"), "scores are called"),
        (lambda m: m["scores"].__setitem__(0, "label"), "scores are called"),
        (lambda m: m["scores"].pop(), r"scores\.parquet is damaged"),
        (lambda m: m["class_names"].__setitem__(0, "\ud800"), "surrogates not allowed"),
        (lambda m: m["about"].update({"\udfff": 1}), "surrogates not allowed"),
        (lambda m: m["class_names"].__setitem__(0, m["class_names"][1]), "two classes have one name"),
        (lambda m: m["created"].update(versions=["numpy"]), "its versions are no names and texts"),
        (lambda m: m["files"].update({"../a": m["files"].pop("scores.parquet")}), "is no file of such a run"),
        (lambda m: m["files"].update({"a\0": m["files"].pop("scores.parquet")}), "is no file of such a run"),
        (lambda m: m["examples"].update(count=12), r"damaged|describes another array"),
        (lambda m: m.update(passes=5), "describes another array than the manifest"),
        (lambda m: m.update(classes=2, class_names=["a", "b"]), "describes another array than the manifest"),
        (lambda m: m["images"].update(shape=[3, 4, 1]), "describes another array than the manifest"),
    ],
)
def test_what_cannot_be_is_named(finished_run: Path, claim: Callable[[dict[str, Any]], object], message: str) -> None:
    reseal(finished_run, claim)
    with pytest.raises(CorruptRunError, match=message) as caught:
        numbers(open_run(finished_run))
    str(caught.value).encode()
    assert len(list_runs(finished_run.parent)) == 1


ONE, THREE, TEXTS = "one target of rows", "three targets with variances", "classes of texts"


@pytest.mark.parametrize(
    ("form", "claim", "message"),
    [
        (ONE, lambda m: m["examples"].update(kind="series"), "examples are 'series', which this mcviz does not know"),
        (ONE, lambda m: m["examples"].update(kind="none"), "examples are 'none'"),
        (ONE, lambda m: m["examples"].update(kind="image"), "examples are 'image'"),
        (THREE, lambda m: m["examples"].update(kind="text"), "examples are 'text'"),
        (THREE, lambda m: m["examples"].update(kind="row", content=["x"]), "the examples have no table"),
        (ONE, lambda m: m.update(task="ranking"), "the task is 'ranking'"),
        (ONE, lambda m: m.update(task="classification"), "0 classes are predicted"),
        (ONE, lambda m: m.update(targets=[]), "0 targets are predicted"),
        (ONE, lambda m: m.update(classes=2, class_names=["a", "b"]), "2 classes are predicted"),
        (TEXTS, lambda m: m.update(targets=["a"]), "1 targets are predicted"),
        (TEXTS, lambda m: m.update(unit="kg"), "classes are predicted in 'kg'"),
        (TEXTS, lambda m: m.update(predicts="mean,std"), "classes are predicted as mean,std"),
        (THREE, lambda m: m.update(targets=["x", "y", "x"]), "two targets have one name"),
        (
            THREE,
            lambda m: m.update(targets=["x", "y"]),
            r"scores\.parquet is damaged: it has 11 rows of example int64, id",
        ),
        (THREE, lambda m: m.update(targets=["x", "y", "w"]), r"scores\.parquet is damaged"),
        (THREE, lambda m: m.update(targets=[str(d) for d in range(200_000)]), "files, and 25 are listed"),
        (THREE, lambda m: m.update(predicts="mean"), "files, and 25 are listed"),
        (ONE, lambda m: m.update(predicts="mean,variance"), "files, and 18 are listed"),
        (ONE, lambda m: m.update(predicts="median"), "Invalid enum value 'median'"),
        (ONE, lambda m: m["scores"].append("label_x"), "scores are called"),
        (
            ONE,
            lambda m: m["examples"].update(content=["mass"]),
            r"examples\.parquet is damaged: it has no column 'mass'",
        ),
        (ONE, lambda m: m["examples"].update(content=["height", "id"]), "it has texts in place of numbers"),
        (ONE, lambda m: m["examples"].update(content=["height"] * 2), "two columns of the examples have one name"),
        (ONE, lambda m: m["examples"].update(kind="text", content=["height"]), "it lacks texts"),
        (TEXTS, lambda m: m["examples"].update(kind="row"), "it has texts in place of numbers"),
        (TEXTS, lambda m: m["examples"].update(kind="text", content=["text", "id"]), "texts are in 2 columns"),
    ],
)
def test_what_cannot_be_of_a_task_or_a_kind_is_named(
    finished_run: Path, claim: Callable[[dict[str, Any]], object], message: str
) -> None:
    reseal(finished_run, claim)
    with pytest.raises(CorruptRunError, match=message) as caught:
        numbers(open_run(finished_run))
    assert "\n" not in str(caught.value)
    assert len(list_runs(finished_run.parent)) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_run_of_any_form_that_is_sealed_again_is_the_same(finished_run: Path) -> None:
    truth = numbers(open_run(finished_run))
    reseal(finished_run, lambda _: None)
    assert numbers(open_run(finished_run)) == truth


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: table.assign(margin=table["margin"].astype("float64")),
        lambda table: table.assign(margin=table["margin"].astype("str")),
        lambda table: table.assign(margin=table["margin"].where(table["example"] > 3)),
        lambda table: table.assign(prediction=table["prediction"].astype("float64")),
        lambda table: table.assign(correct=table["correct"].astype("int64")),
        lambda table: table.assign(id=None),
        lambda table: table.iloc[::-1],
        lambda table: table.iloc[:-1],
        lambda table: table.rename(columns={"margin": "x/y"}),
    ],
)
def test_a_table_of_another_form(finished_run: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    file = io.BytesIO()
    spoil(pd.read_parquet(finished_run / "scores.parquet")).to_parquet(file, index=False)
    replace_file(finished_run, "scores.parquet", file.getvalue())
    with pytest.raises(CorruptRunError, match=r"scores\.parquet is damaged"):
        open_run(finished_run).scores()


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": ("a", "b", "\ud800")},
        {"class_names": ("a", "b", "b")},
        {"about": {"source": "\udfff"}},
        {"about": {"\udfff": "source"}},
        {"about": {"share": float("nan")}},
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make(tmp_path / "run", **change)
    str(caught.value).encode()
    assert not list(tmp_path.iterdir())
    twin = {"class_names": ("a", "b", "\U0001f600"), "about": {"quelle": "Übersee", "share": 0.5}}
    run = make(tmp_path / "run", **{name: twin[name] for name in change})
    assert getattr(open_run(run.path).manifest, next(iter(change))) == twin[next(iter(change))]


OPEN = """
import json, resource, sys
import msgspec
from pathlib import Path
from mcviz.errors import CorruptRunError
from mcviz.runs import open_run
from mcviz.manifest import Manifest
from mcviz.runs.manifest_file import NAME, _checksum
from tests.runs.making import numbers

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
file = Path(sys.argv[1]) / NAME
whole = file.read_bytes()
for claim in json.loads(sys.argv[2]):
    content = json.loads(whole)
    del content["checksum"], content["digest"]
    for path, value in claim.items():
        *parents, last = path.split("|" if "|" in path else "/")
        inner = content
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    try:
        content["digest"] = msgspec.convert(content, Manifest).digest
    except (ValueError, TypeError):
        content["digest"] = "none"
    content["checksum"] = _checksum(content)
    file.write_text(json.dumps(content))
    try:
        numbers(open_run(sys.argv[1]))
        print("OPENED", claim)
    except CorruptRunError as error:
        print(error)
"""

MANY = 10**12


CLAIMS: list[dict[str, object]] = [
    {"examples/count": MANY},
    {"examples/count": MANY, "layout/examples_per_shard": MANY, "layout/images_per_shard": MANY},
    {"passes": MANY},
    {"passes": MANY, "layout/examples_per_shard": 1, "layout/examples_per_chunk": 1},
    {"passes": 10**6},
    {"images/shape": [MANY, MANY, 1]},
    {"images/shape": [20_000, 20_000, 1]},
    {"images/shape": [1] * 40},
    {"layout/examples_per_shard": MANY},
    {"layout/examples_per_chunk": MANY},
    {"layout/images_per_chunk": MANY},
    {"layout/examples_per_shard": 1 << 20},
    {
        "examples/count": 1 << 20,
        "layout/examples_per_shard": 1 << 20,
        "layout/images_per_shard": 1 << 20,
        "layout/examples_per_chunk": 1,
        "layout/images_per_chunk": 1,
    },
    {"examples/count": 0},
    {"examples/count": -1},
    {"passes": 0},
    {"layout/examples_per_chunk": 0},
    {"images/shape": [-4, -3, 1]},
    {"files|predictions.zarr/label/c.0|bytes": MANY},
    {"images/dtype": "object"},
    {"images/dtype": "float32"},
    {"examples/count": 1e3},
    {"passes": True},
    {"passes": "6"},
    {"masks": "none"},
    {"state": "whole"},
]


def test_a_claim_that_cannot_be_is_refused_in_little_memory(finished_run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(finished_run), json.dumps(CLAIMS)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(CLAIMS)
    assert all(line.startswith(str(finished_run)) for line in lines), lines
