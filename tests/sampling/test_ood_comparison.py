"""What detectors find in sets that a model was not made for: of every kind of examples, made and given."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image

import mcviz
from mcviz import Run
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS
from mcviz.measures.ood import DETECTORS, DROPOUT_OFF, NEIGHBOURS_OF_LAST, UNEXPLAINED, VERDICT
from mcviz.runs.ood_scores import OODScores, load_ood_scores, save_ood_scores
from mcviz.sampling import Sampler
from mcviz.sampling.ood import compute_ood_scores, make_sets, read_set, split_halves, split_held_out
from tests.cases import only
from tests.sampling.ood_runs import EXAMPLES, PASSES, SIDE, photograph_run, photographs, row_run, text_run

MAKE = {"image": photograph_run, "row": row_run, "text": text_run}


class Study:
    """Runs of every kind of examples, and what detectors find in sets; each is made once."""

    def __init__(self, folder: Path) -> None:
        self.stages: dict[str, list[tuple[str, float]]] = {}
        self.run = cache(lambda kind: MAKE[kind](folder / kind))
        self.scores = cache(self._compute)

    def _compute(self, kind: str) -> OODScores:
        stages = self.stages.setdefault(kind, [])
        run = self.run(kind)
        return compute_ood_scores(sampler_of(run), run, stage=lambda what, done: stages.append((what, done)))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module", params=only(["row"], MAKE))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(study: Study, kind: str) -> Run:
    return study.run(kind)


@pytest.fixture(scope="module")
def compared(study: Study, kind: str) -> OODScores:
    return study.scores(kind)


@pytest.fixture(scope="module")
def photos(study: Study) -> Run:
    return study.run("image")


@pytest.fixture(scope="module")
def of_photos(study: Study) -> OODScores:
    return study.scores("image")


def sampler_of(run: Run) -> Sampler:
    assert run.model_path is not None
    return Sampler.for_run(mcviz.load_model(run.model_path), run)


def test_every_set_of_the_kind_is_judged_by_every_detector(run: Run, compared: OODScores) -> None:
    sets = KINDS[run.manifest.examples.kind].ood_sets
    assert len(sets) >= 5
    assert [each.key for each in compared.sets] == list(sets)
    assert set(compared.labels) == set(DETECTORS)
    for each in compared.sets:
        assert len(each) == len(compared.own) == EXAMPLES // 3
        assert all(np.isfinite(values).all() for values in each.scores.values())
        assert 0 < each.p_values.min() <= each.p_values.max() <= 1


@pytest.mark.usefixtures("compared")
def test_how_far_it_is_only_goes_up(study: Study, kind: str) -> None:
    shares = [done for _, done in study.stages[kind]]
    assert len({what for what, _ in study.stages[kind]}) > 8
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert shares == sorted(shares)


def test_an_auroc_is_the_share_of_pairs_that_are_in_the_right_order(compared: OODScores) -> None:
    each = compared.sets[0]
    for name in (VERDICT, DROPOUT_OFF, "mutual_information"):
        own, others = compared.own.scores[name][:, None], each.scores[name]
        pairs = (others > own).mean() + 0.5 * (others == own).mean()
        assert each.figures[name][0].auroc == pytest.approx(pairs)
        interval = each.interval(name)
        assert interval.low <= interval.value <= interval.high


def test_what_is_kept_is_what_was_computed(run: Run, compared: OODScores) -> None:
    assert save_ood_scores(run, compared)
    kept = load_ood_scores(run)
    assert kept is not None
    assert kept.sentences == compared.sentences
    assert (kept.labels, kept.fitted, kept.calibrated) == (compared.labels, compared.fitted, compared.calibrated)
    for before, after in zip((compared.own, *compared.sets), (kept.own, *kept.sets), strict=True):
        assert (before.label, before.source, dict(before.figures)) == (after.label, after.source, dict(after.figures))
        np.testing.assert_array_equal(before.shown, after.shown)
        np.testing.assert_array_equal(before.p_values, after.p_values)
        for name in compared.labels:
            np.testing.assert_array_equal(before.scores[name], after.scores[name])


def test_the_own_examples_are_judged_by_what_never_saw_them_and_by_the_run_s_own_passes(
    run: Run, compared: OODScores
) -> None:
    own, others = split_held_out(len(run))
    fitted, calibrating = split_halves(others)
    assert sorted([*own, *fitted, *calibrating]) == list(range(len(run)))
    assert (len(fitted), len(calibrating)) == (compared.fitted, compared.calibrated)
    np.testing.assert_allclose(compared.own.confidence, run.mean_probs[own].max(axis=1), rtol=1e-6)


@pytest.mark.slow
def test_a_detector_of_the_passes_asks_the_same_masks_of_a_set_as_of_the_run(photos: Run, of_photos: OODScores) -> None:
    """The run's own images, given as a set: what passes say of them is what the run holds."""
    given = read_set(sampler_of(photos), photos, photos.path)
    of_itself = compute_ood_scores(sampler_of(photos), photos, [given], kept=of_photos).sets[-1]
    places = np.sort(np.random.default_rng(0).permutation(len(photos))[:500])
    expected = photos.scores()["mutual_information"].to_numpy()[places]
    np.testing.assert_allclose(of_itself.scores["mutual_information"], expected, atol=2e-4)
    assert 0.35 < of_itself.figures[VERDICT][0].auroc < 0.65, "its own examples are not foreign to it"


def test_sets_are_made_of_all_classes_where_each_class_is_in_one_place(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(10), 100)
    images = np.broadcast_to(np.arange(1000, dtype=np.uint16)[:, None, None, None] / np.float32(1000), (1000, 4, 4, 1))
    probs = np.random.default_rng(0).dirichlet(np.ones(10), (2, 1000)).astype(np.float32)
    run = mcviz.write_run(tmp_path / "run", probs, data=(images, labels))
    turned = next(each for each in make_sets(run, np.arange(1000)) if each.key == "turned")
    (numbers,) = np.unique(turned.contents.reshape(len(turned.contents), -1), axis=1).T  # an image is of one colour
    assert len(np.unique(numbers)) == len(turned.contents) == 500
    assert np.bincount((numbers * 10).astype(int)).min() >= 25, "about 50 of each class"


@pytest.mark.slow
def test_noise_is_found_and_turned_photographs_are_hardly_foreign(of_photos: OODScores) -> None:
    noise, turned = (next(each for each in of_photos.sets if each.key == key) for key in ("uniform", "turned"))
    assert noise.figures[VERDICT][0].auroc > 0.9
    assert noise.figures[UNEXPLAINED][0].auroc > 0.95
    assert turned.figures[VERDICT][0].auroc < 0.8


@pytest.mark.slow
def test_a_folder_of_pictures_an_npz_and_a_table_are_taken(photos: Run, tmp_path: Path) -> None:
    sampler, (patches, _) = sampler_of(photos), photographs(6, 9)
    (tmp_path / "pictures").mkdir()
    for number, patch in enumerate(patches):
        Image.fromarray(patch).resize((40, 30)).save(tmp_path / "pictures" / f"{number}.png")
    np.savez(tmp_path / "grey.npz", images=np.arange(5 * 12 * 20, dtype=np.uint8).reshape(5, 12, 20))
    np.savez(tmp_path / "fractions.npz", images=patches / np.float32(255))
    for name, count in (("pictures", 6), ("grey.npz", 5), ("fractions.npz", 6)):
        given = read_set(sampler, photos, tmp_path / name)
        assert given.contents.shape == (count, SIDE, SIDE, 3)
        assert 0 <= given.contents.min() < given.contents.max() <= 1
        assert given.label == name.removesuffix(".npz")
    np.testing.assert_allclose(read_set(sampler, photos, tmp_path / "fractions.npz").contents, patches / 255, atol=1e-6)


@pytest.mark.slow
def test_a_given_set_is_added_and_comes_once(photos: Run, of_photos: OODScores, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=photographs(20, 5)[0])
    sampler = sampler_of(photos)
    given = read_set(sampler, photos, tmp_path / "mine.npz")
    both = compute_ood_scores(sampler, photos, [given], kept=of_photos)
    again = compute_ood_scores(sampler, photos, [given], kept=both)
    assert [each.key for each in again.sets] == [*(each.key for each in of_photos.sets), given.key]
    assert again.sets[:-1] == both.sets[:-1], "the others are not computed again"
    assert again.sets[-1].source == str(tmp_path / "mine.npz")


def test_what_is_stopped_is_not_kept(study: Study, tmp_path: Path) -> None:
    shutil.copytree(study.run("row").path, tmp_path / "copy", ignore=shutil.ignore_patterns("derived"))
    copy = mcviz.open_run(tmp_path / "copy")

    def stop(_: str, done: float) -> None:
        if done > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_ood_scores(sampler_of(copy), copy, stage=stop)
    assert load_ood_scores(copy) is None


@pytest.mark.slow
def test_what_cannot_be_compared_is_said(photos: Run, tmp_path: Path) -> None:
    few = mcviz.sample_run(mcviz.load_model(photos.model_path), photographs(59, 3)[0], tmp_path / "few", passes=2)
    with pytest.raises(InvalidInputError, match=r"a run of 59 examples\. Sample at least 60"):
        compute_ood_scores(sampler_of(few), few)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a text")
    with pytest.raises(InvalidInputError, match=r"should hold images.*of the kind text"):
        read_set(sampler_of(photos), photos, tmp_path / "texts")


@pytest.mark.slow
def test_the_command_prints_a_table_of_photographs_and_all_as_json(
    photos: Run, of_photos: OODScores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "others.npz", images=np.zeros((20, SIDE, SIDE, 3), np.uint8))
    assert main(["ood", photos.path, "--against", str(tmp_path / "others.npz")]) == 0
    printed = capsys.readouterr().out
    for label in ("Turned by 90°", "Uniform noise", "others", "This run's examples", "Pixels alone"):
        assert label in printed
    assert printed.startswith("Over 11 sets of inputs that the model was not made for, the verdict stops ")
    assert main(["ood", photos.path, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    kept = load_ood_scores(photos)
    assert len(report["in_words"]) == 3
    (others,) = (each for each in report["sets"] if each["label"] == "others")
    assert others["source"] == str(tmp_path / "others.npz")
    assert set(others["figures"]) == set(DETECTORS)
    assert report["held_out_stopped"]["value"] == kept.own.stopped.value
    assert tuple(report["held_out_stopped"]["by_chance"].values()) == kept.stopped_by_chance
    assert report["passes"] == PASSES
    of_python = mcviz.ood(photos)
    assert {"run": photos.path, **json.loads(orjson.dumps(of_python.as_dict()))} == report
    assert " ".join(report["in_words"]) == of_python.in_words


@pytest.mark.slow
def test_ood_gives_a_row_a_set_and_computes_those_that_are_added(
    photos: Run, of_photos: OODScores, tmp_path: Path
) -> None:
    assert save_ood_scores(photos, of_photos)
    np.savez(tmp_path / "black.npz", images=np.zeros((20, SIDE, SIDE, 3), np.uint8))
    stages: list[float] = []
    comparison = mcviz.ood(photos, tmp_path / "black.npz", stage=lambda _, done: stages.append(done))
    assert stages == sorted(stages) != []
    table = comparison.table
    assert list(table.index) == [*(each.label for each in comparison.hardest_first()), comparison.own.label]
    assert set(table.index) == {*(each.label for each in of_photos.sets), "black", comparison.own.label}
    assert table.loc["black", ["examples", "stopped"]].tolist() == [20, comparison.sets[-1].stopped.value]
    assert table.loc["black", [VERDICT, f"{VERDICT}_low"]].tolist() == [
        comparison.sets[-1].interval(VERDICT).value,
        comparison.sets[-1].interval(VERDICT).low,
    ]
    assert table.loc[comparison.own.label, "stopped"] == comparison.own.stopped.value
    assert table[list(comparison.labels)].iloc[-1].isna().all()
    assert "<td>black</td><td>20</td>" in comparison._repr_html_()


def test_the_command_says_what_a_run_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = mcviz.write_run(tmp_path / "bare", np.random.default_rng(0).dirichlet(np.ones(2), (3, 70)))
    assert main(["ood", bare.path]) == 2
    assert "was kept without its model" in capsys.readouterr().err


def test_a_model_that_does_not_end_in_a_dense_layer_has_all_detectors_but_one(study: Study, monkeypatch) -> None:
    from mcviz.errors import UnsuitableModelError

    def refuse(*_: object) -> None:
        raise UnsuitableModelError("no dense layer")

    monkeypatch.setattr("mcviz.sampling.keras.network.penultimate_activations", refuse)
    run = study.run("row")
    scores = compute_ood_scores(sampler_of(run), run)
    assert set(DETECTORS) - set(scores.labels) == {NEIGHBOURS_OF_LAST}
    assert set(scores.sets[0].scores) == set(scores.labels)
