"""Whatever is done to a folder of runs, in any order, it holds what a plain model of it says, and nothing besides."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mcviz.decisions import Decisions, Threshold, Tolerance
from mcviz.errors import (
    CorruptRunError,
    InvalidInputError,
    PartialRunError,
    RunExistsError,
    RunNotFoundError,
    StorageError,
)
from mcviz.runs import Derived, Run, list_runs, load_derived, open_run, remove_run, rename_run, save_derived, verify_run
from mcviz.runs.decisions import FILE as DECISIONS
from mcviz.runs.storage import folder_at, write_lock
from mcviz.runs.writer import discard_growth, rename_classes
from tests.factories import Stop
from tests.runs.making import (
    FORMS,
    MadeUpSource,
    files_below,
    made_up,
    make,
    some_label_sets,
    some_labels,
    some_targets,
)

EXAMPLES, SHARD = 11, 4
SHARDS = [(start, min(start + SHARD, EXAMPLES)) for start in range(0, EXAMPLES, SHARD)]
NAMES = ["a", "b", "zwölf ✓ (2)"]
SPEED = Derived("speed", 1, {"metres": "int64"})


def count(shards: Collection[int]) -> int:
    """The number of examples in some shards."""
    return sum(SHARDS[shard][1] - SHARDS[shard][0] for shard in shards)


class Recipe(NamedTuple):
    """What is asked of `make`, but for the number of passes."""

    form: str
    seed: int

    @property
    def options(self) -> dict[str, Any]:
        return {**FORMS[self.form], "seed": self.seed}

    @property
    def is_regression(self) -> bool:
        return "targets" in FORMS[self.form]

    @property
    def has_several_labels(self) -> bool:
        return FORMS[self.form].get("task") == "multilabel"

    def source(self) -> MadeUpSource:
        source = made_up(FORMS[self.form])
        source.seed = self.seed
        return source


RECIPES = [Recipe(form, 5) for form in FORMS]
RECIPES.append(Recipe(RECIPES[0].form, 6))


@dataclass
class PlainRun:
    """What a run should be.

    Attributes:
        recipe: by which it is made.
        passes: of the finished run; 0 while there is none.
        begun: the shards that are done of each writing that was stopped, by the passes that it is to end with.
        class_names: of a classification.
        derived: the passes of the run from which something was derived last; 0 for none.
        decided: the thresholds of several labels by the number of the class, or the tolerances by that of the target.
    """

    recipe: Recipe
    passes: int = 0
    begun: dict[int, set[int]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ("a", "b", "c")
    derived: int = 0
    decided: dict[int, float] = field(default_factory=dict)

    def examples_done(self) -> int:
        return EXAMPLES if self.passes else count(next(iter(self.begun.values())))


class Reader(NamedTuple):
    """A run that somebody opened and keeps open."""

    run: Run
    name: str
    plain: PlainRun
    passes: int


@cache
def predicted(recipe: Recipe, passes: int) -> np.ndarray:
    """(T, N, K) float32, number by number as the format of a run says it: a probability is a multiple of 1/65534."""
    source = recipe.source()
    sampled = np.array([[source._one(example, number) for example in range(EXAMPLES)] for number in range(passes)])
    if recipe.is_regression:
        return sampled
    steps = [round(float(probability * np.float32(65534))) for probability in sampled.flat]
    return np.array([step / 65534 for step in steps]).reshape(sampled.shape).astype(np.float32)


@cache
def table(recipe: Recipe, passes: int) -> dict[str, np.ndarray]:
    """Some columns of the table of scores, and the ensemble's accuracy, accuracy over labels, or RMSE."""
    predictions = predicted(recipe, passes).astype(np.float64)
    mean = predictions.mean(axis=0)
    if recipe.is_regression:
        targets = len(FORMS[recipe.form]["targets"])
        return {
            "prediction" if targets == 1 else "prediction_x": mean[:, 0],
            "predictive_std": np.sqrt(predictions[:, :, :targets].var(axis=0).sum(axis=1)),
            "quality": np.sqrt(np.mean((mean[:, :targets] - some_targets(targets=targets)) ** 2)),
        }
    if recipe.has_several_labels:
        labels, entropies = some_label_sets(), -mean * np.log(mean) - (1 - mean) * np.log1p(-mean)
        known = labels >= 0
        with np.errstate(invalid="ignore"):  # of an example without a known label there is no loss
            loss = (known & ((mean > 0.5) != labels)).sum(axis=1) / known.sum(axis=1)
        return {
            "loss": loss,
            "expected_error": np.minimum(mean, 1 - mean).mean(axis=1),
            "predictive_entropy": entropies.sum(axis=1),
            "quality": 1 - np.nanmean(loss),
        }
    votes = np.array([[np.sum(one.argmax(axis=1) == c) for c in range(3)] for one in predictions.swapaxes(0, 1)])
    entropy = -np.sum(mean * np.log(mean), axis=1)
    return {
        "label": some_labels(),
        "prediction": mean.argmax(axis=1),
        "correct": mean.argmax(axis=1) == some_labels(),
        "max_probability": mean.max(axis=1),
        "variation_ratio": 1 - votes.max(axis=1) / passes,
        "predictive_entropy": entropy,
        "quality": np.mean(mean.argmax(axis=1) == some_labels()),
    }


@cache
def made_in_one_go(recipe: Recipe, passes: int) -> tuple[str, dict[str, str]]:
    """The digest of a run that was made in one go, and the SHA-256 of its files."""
    with tempfile.TemporaryDirectory() as folder:
        run = make(Path(folder) / "run", **recipe.options, passes=passes)
        verify_run(run.path)
        assert_holds(run, recipe, passes)
        return run.digest, by_plain_names(run.manifest.files)


def by_plain_names(files: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 of files by the names that they have in a run which never grew."""
    return {re.sub(r"^(predictions|scores)-\d+", r"\1", name): file.sha256 for name, file in files.items()}


def assert_holds(run: Run, recipe: Recipe, passes: int) -> None:
    """Every number that a run gives is that of the model, whatever was decided."""
    run = run.undecided
    np.testing.assert_array_equal(run.predictions_block(0, None), predicted(recipe, passes))
    expected, scores = table(recipe, passes), run.table()
    for name in expected.keys() - {"quality"}:
        np.testing.assert_allclose(scores[name].astype(np.float64), expected[name], atol=1e-5, err_msg=name)
    np.testing.assert_allclose([run.quality_by_pass[1][-1], run.manifest.quality], expected["quality"], rtol=1e-6)


def there(**wanted: bool) -> st.SearchStrategy[str]:
    """The names of the runs that are there; only those that are `finished`, or not."""
    return st.runner().flatmap(lambda machine: st.sampled_from(machine.names(**wanted)))


def with_any(**wanted: bool) -> Any:
    return precondition(lambda machine: bool(machine.names(**wanted)))


begun = st.runner().flatmap(lambda machine: st.sampled_from(machine.writings_begun()))
if_begun = precondition(lambda machine: bool(machine.writings_begun()))
free = st.runner().flatmap(lambda machine: st.sampled_from(sorted({*NAMES} - machine.runs.keys())))
if_free = precondition(lambda machine: len(machine.runs) < len(NAMES))
examples = st.sampled_from([0, 3, 4, 7, 8, 10, *6 * [EXAMPLES]])


class FolderOfRuns(RuleBasedStateMachine):
    """Plays with a folder of runs, and with a dictionary that says what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.scratch = Path(tempfile.mkdtemp())
        self.patch.setenv("XDG_DATA_HOME", str(self.scratch / "user"))
        self.cache = self.scratch / "cache"
        self.cache.mkdir()
        self.runs: dict[str, PlainRun] = {}
        self.readers: list[Reader] = []
        self.seen: dict[str, tuple[dict[str, bytes], PlainRun]] = {}

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.scratch)

    def names(self, finished: bool | None = None) -> list[str]:
        return sorted(name for name, run in self.runs.items() if finished in (None, bool(run.passes)))

    def writings_begun(self) -> list[tuple[str, int]]:
        return sorted((name, passes) for name, run in self.runs.items() for passes in run.begun)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        before = files_below(self.cache)
        yield
        assert files_below(self.cache) == before

    def write(self, name: str, recipe: Recipe, passes: int, examples: int, *, resume: bool = True) -> None:
        """Write a run, or as many of its examples as are given; those of a shard that is not done are lost."""
        run, source = self.runs.get(name, PlainRun(recipe)), recipe.source()
        if not resume and passes in run.begun:
            del run.begun[passes]
        done, first = run.begun.get(passes, set()), run.passes
        missing = [shard for shard in range(len(SHARDS)) if shard not in done]
        written = [shard for shard in missing if count(missing[: missing.index(shard) + 1]) <= examples]
        whole, at_first = written == missing, count(done) * (passes - first)
        progress_counts: list[tuple[int, int]] = []

        def progress(*counts: int) -> None:
            progress_counts.append(counts)
            if counts[0] > at_first + examples * (passes - first):
                raise Stop

        options = {**recipe.options, "passes": passes, "source": source, "resume": resume, "progress": progress}
        with nullcontext() if whole else pytest.raises(Stop):
            assert_holds(make(self.cache / name, **options), recipe, passes)
        total = EXAMPLES * (passes - first)
        assert source.asked == [(*SHARDS[shard], first, passes - first) for shard in missing[: len(written) + 1]]
        assert progress_counts == sorted(progress_counts)
        assert progress_counts[0] == (at_first, total)
        assert not whole or progress_counts[-1] == (total, total)
        if whole:
            begun = {more: done for more, done in run.begun.items() if more > passes}
            self.runs[name] = PlainRun(recipe, passes, begun, derived=run.derived, decided=run.decided)
            return
        run.begun[passes] = done | {*written}
        if not run.begun[passes]:
            del run.begun[passes]  # of a writing without a shard nothing is left
        if run.passes or run.begun:
            self.runs[name] = run
        else:
            self.runs.pop(name, None)

    @initialize(growing=st.sampled_from(RECIPES), stopped=st.sampled_from(RECIPES))
    def begin(self, growing: Recipe, stopped: Recipe) -> None:
        self.write(NAMES[0], growing, 3, EXAMPLES)
        self.write(NAMES[0], growing, 5, SHARD)
        self.write(NAMES[1], stopped, 3, 2 * SHARD)

    @if_free
    @rule(name=free, recipe=st.sampled_from(RECIPES), passes=st.sampled_from([3, 6]), examples=examples)
    def create(self, name: str, recipe: Recipe, passes: int, examples: int) -> None:
        self.write(name, recipe, passes, examples)

    @if_begun
    @rule(writing=begun, examples=examples, resume=st.sampled_from([True, True, False]))
    def go_on(self, writing: tuple[str, int], examples: int, resume: bool) -> None:
        name, passes = writing
        self.write(name, self.runs[name].recipe, passes, examples, resume=resume)

    @with_any(finished=True)
    @rule(name=there(finished=True), more=st.integers(1, 3), examples=examples)
    def grow(self, name: str, more: int, examples: int) -> None:
        run = self.runs[name]
        if run.passes < 12:
            self.write(name, run.recipe, run.passes + more, examples)

    @with_any(finished=True)
    @rule(name=there(finished=True), resume=st.booleans(), strays=st.booleans())
    def ask_for_what_is_there(self, name: str, resume: bool, strays: bool) -> None:
        run, source = self.runs[name], self.runs[name].recipe.source()
        with self.untouched():
            if strays:
                self.leave_strays(name)
            make(self.cache / name, **run.recipe.options, passes=run.passes, source=source, resume=resume)
        assert source.asked == []

    @with_any()
    @rule(name=there(), change=st.sampled_from(["seed", "form", "masks", "passes"]), resume=st.booleans())
    def ask_for_another(self, name: str, change: str, resume: bool) -> None:
        run = self.runs[name]
        passes, options = run.passes or next(iter(run.begun)), run.recipe.options
        if change == "form":
            options = FORMS[next(form for form in FORMS if form != run.recipe.form)]
        elif change == "passes":
            passes -= 1
        else:
            options[change] = {"seed": 7, "masks": "per_example"}[change]
        state = "finished" if run.passes else "partial"
        with self.untouched(), pytest.raises(RunExistsError, match=f"Another {state} run is at {self.at(name)}"):
            make(self.cache / name, **options, passes=passes, resume=resume)

    @if_begun
    @rule(writing=begun, data=st.data(), examples=examples, cut=st.booleans())
    def lose_a_file_and_go_on(self, writing: tuple[str, int], data: st.DataObject, examples: int, cut: bool) -> None:
        name, passes = writing
        run = self.runs[name]
        manifest, store = f"manifest-{passes}.json", f"predictions-{passes}.zarr"
        listed = self.listed(name, manifest if run.passes else "manifest.json")
        own = sorted(file for file in listed if not run.passes or file.startswith(store))
        file = self.cache / name / data.draw(st.sampled_from(own))
        if cut:
            file.write_bytes(file.read_bytes()[:-3])
        else:
            file.unlink()
        if file.name != "zarr.json" and file.parent.name in ("probs", "outputs", "variances"):
            run.begun[passes].remove(int(file.name.split(".")[1]))
        self.write(name, run.recipe, passes, EXAMPLES if cut else examples)  # what was cut short stays until then

    @with_any()
    @rule(name=there(), to=st.sampled_from(NAMES))
    def rename(self, name: str, to: str) -> None:
        if to != name and to in self.runs:
            with self.untouched(), pytest.raises(RunExistsError, match="is there already"):
                rename_run(self.cache / name, to)
            return
        before = files_below(self.cache / name)
        assert rename_run(self.cache / name, to) == str(self.cache / to)
        assert files_below(self.cache / to) == before
        self.runs[to] = self.runs.pop(name)

    @with_any()
    @rule(name=there(), strays=st.booleans())
    def remove(self, name: str, strays: bool) -> None:
        if strays:
            self.leave_strays(name)
        assert remove_run(self.cache / name) == []
        del self.runs[name]
        for use in (open_run, verify_run, remove_run, discard_growth, lambda path: rename_run(path, "other")):
            with pytest.raises(RunNotFoundError, match="There is no run at"):
                use(self.cache / name)

    @if_begun
    @rule(writing=begun)
    def discard(self, writing: tuple[str, int]) -> None:
        name, _ = writing
        discard_growth(self.cache / name)
        self.runs[name].begun.clear()
        if not self.runs[name].passes:
            del self.runs[name]

    @with_any()
    @rule(name=there())
    def verify_and_change_while_another_writes(self, name: str) -> None:
        with write_lock(folder_at(self.cache / name)), self.untouched():
            self.verify(name)
            for change in (remove_run, discard_growth, lambda path, patience: rename_run(path, "other", patience)):
                with pytest.raises(StorageError, match="is being written by another process"):
                    change(self.cache / name, patience=0)

    @with_any(finished=True)
    @rule(name=there(finished=True), class_names=st.permutations(["a", "x", "ß"]).map(tuple))
    def rename_classes(self, name: str, class_names: tuple[str, ...]) -> None:
        plain, run = self.runs[name], open_run(self.cache / name)
        if plain.recipe.is_regression:
            return
        with pytest.raises(InvalidInputError, match="3 classes have other names"):
            rename_classes(run, class_names[:2])
        assert rename_classes(run, class_names).digest == run.digest
        if class_names != plain.class_names:
            with pytest.raises(RunNotFoundError, match="replaced by another run"):
                rename_classes(run, ("p", "q", "r"))
        plain.class_names = class_names

    @with_any(finished=True)
    @rule(name=there(finished=True), number=st.integers(0, 2), value=st.sampled_from([0.3, 0.6]), clear=st.booleans())
    def decide(self, name: str, number: int, value: float, clear: bool) -> None:
        plain, run = self.runs[name], open_run(self.cache / name)
        if plain.recipe.is_regression:
            plain.decided = {} if clear else dict.fromkeys(range(len(run.targets)), value)
        elif plain.recipe.has_several_labels:
            plain.decided = {} if clear else {**plain.decided, number: value}
        tolerances = {target: Tolerance(plain.decided[at]) for at, target in enumerate(run.targets) if plain.decided}
        thresholds = {} if run.targets else {plain.class_names[at]: Threshold(of) for at, of in plain.decided.items()}
        run.decide(Decisions(thresholds, tolerances))

    @with_any(finished=True)
    @rule(name=there(finished=True), data=st.data(), bits=st.integers(1, 255))
    def flip_a_byte_and_read(self, name: str, data: st.DataObject, bits: int) -> None:
        file = self.cache / name / data.draw(st.sampled_from(sorted(self.listed(name, "manifest.json"))))
        whole = file.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        file.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
        with pytest.raises(CorruptRunError, match=re.escape(str(file))):
            verify_run(self.cache / name)
        with suppress(CorruptRunError):
            assert_holds(open_run(self.cache / name), self.runs[name].recipe, self.runs[name].passes)
        file.write_bytes(whole)

    @precondition(lambda machine: machine.names(finished=True) and len(machine.readers) < 2)
    @rule(name=there(finished=True))
    def derive_and_keep_open(self, name: str) -> None:
        plain, run = self.runs[name], open_run(self.cache / name)
        assert save_derived(run.path, run.digest, SPEED, {"metres": [plain.passes]})
        plain.derived = plain.passes
        self.readers.append(Reader(run, name, plain, plain.passes))

    @precondition(lambda machine: machine.readers)
    @rule()
    def read_what_was_kept_open(self) -> None:
        for reader in self.readers:
            now = self.runs.get(reader.name)
            try:
                assert_holds(reader.run, reader.plain.recipe, reader.passes)
            except RunNotFoundError:
                assert now is not reader.plain or now.passes != reader.passes
        self.readers.clear()

    def verify(self, name: str) -> None:
        if not self.runs[name].passes:
            with pytest.raises(PartialRunError, match=f"{self.runs[name].examples_done()} of 11 examples"):
                verify_run(self.cache / name)
            return
        assert_holds(open_run(self.cache / name), self.runs[name].recipe, self.runs[name].passes)
        report, listed = verify_run(self.cache / name), self.listed(name, "manifest.json")
        assert (report.files, report.bytes) == (len(listed), sum(file["bytes"] for file in listed.values()))

    def leave_strays(self, name: str) -> None:
        """Leave what killed writers leave: unfinished files, those of fewer passes, and a lock that nobody holds."""
        for stray in (
            ".manifest.json.0123456789ab.tmp",
            "derived/.x-1.npz.0123456789ab.tmp",
            "predictions-2.zarr/probs/c.0.0.0",
            "manifest-2.json",
        ):
            (self.cache / name / stray).parent.mkdir(parents=True, exist_ok=True)
            (self.cache / name / stray).write_text("x")
        (self.cache / f".{name}.lock").touch()

    def at(self, name: str) -> str:
        return re.escape(str(self.cache / name))

    def listed(self, name: str, manifest: str) -> dict[str, dict[str, Any]]:
        """The files that a manifest lists, and what it says of each."""
        return json.loads((self.cache / name / manifest).read_bytes())["files"]

    @invariant()
    def the_list_is_that_of_the_model(self) -> None:
        listed = [(run.name, run.state, run.examples_done) for run in list_runs(self.cache)]
        assert listed == [
            (name, "finished" if run.passes else "partial", run.examples_done())
            for name, run in sorted(self.runs.items())
        ]

    @invariant()
    def every_run_is_that_of_the_model(self) -> None:
        for name, plain in self.runs.items():
            seen = files_below(self.cache / name), deepcopy(plain)
            if seen != self.seen.get(name):  # the same files open as the same run
                self.check_that_it_opens(name, plain)
                self.check_files(name, plain, seen[0])
                self.seen[name] = seen

    def check_that_it_opens(self, name: str, plain: PlainRun) -> None:
        if not plain.passes:
            with pytest.raises(PartialRunError, match=f"{plain.examples_done()} of 11 examples have their "):
                open_run(self.cache / name)
            return
        run = open_run(self.cache / name)
        assert (run.digest, by_plain_names(run.manifest.files)) == made_in_one_go(plain.recipe, plain.passes)
        assert plain.recipe.is_regression or run.class_names == plain.class_names
        if plain.decided:
            self.check_decisions(run, plain)
        derived = load_derived(run.path, run.digest, SPEED)
        assert (None if derived is None else derived["metres"].tolist()) == (
            [plain.passes] if plain.derived == plain.passes else None
        )

    def check_decisions(self, run: Run, plain: PlainRun) -> None:
        """What is wrong is by the thresholds or tolerances, and the labels."""
        mean = predicted(plain.recipe, plain.passes).mean(axis=0, dtype=np.float64)
        if plain.recipe.is_regression:
            limits = np.array([plain.decided[target] for target in range(len(run.targets))])
            errors = np.abs(mean[:, : len(limits)] - some_targets(targets=len(limits)))
            np.testing.assert_array_equal(run.scores()["within_tolerance"], (errors <= limits).all(axis=1))
            return
        labels, limits = some_label_sets(), np.array([plain.decided.get(number, 0.5) for number in range(3)])
        with np.errstate(invalid="ignore"):
            loss = ((labels >= 0) & ((mean > limits) != labels)).sum(axis=1) / (labels >= 0).sum(axis=1)
        np.testing.assert_allclose(run.scores()["loss"], loss, atol=1e-6)

    def check_files(self, name: str, plain: PlainRun, files: dict[str, bytes]) -> None:
        manifests = ["manifest.json", *(f"manifest-{passes}.json" for passes in plain.begun if plain.passes)]
        listed = {file: entry for manifest in manifests for file, entry in self.listed(name, manifest).items()}
        derived = {file for file in files if re.fullmatch(r"derived/(score-.*|speed)-1\.npz", file)}
        assert files.keys() - derived == {*listed, *manifests, *([DECISIONS] if plain.decided else [])}
        assert (f"derived/{SPEED.name}-1.npz" in derived) == bool(plain.derived)
        for file, entry in listed.items():
            assert hashlib.sha256(files[file]).hexdigest() == entry["sha256"], file

    @invariant()
    def nothing_is_there_besides(self) -> None:
        assert sorted(path.name for path in self.cache.iterdir()) == self.names()
        assert not [folder for folder, *entries in os.walk(self.cache) if not any(entries) and self.runs]
        assert not files_below(self.scratch / "user")


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(3, 25), pytest.param(50, 50, marks=[pytest.mark.slow, pytest.mark.xdist_group("folder of runs")])],
)
def test_a_folder_of_runs_is_what_a_plain_model_of_it_says(examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],  # to look for a shorter way to a failure takes five minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(FolderOfRuns, settings=chosen)
