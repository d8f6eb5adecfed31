"""The page Label: what is decided is kept, undone, passed over and gone back to, of runs of all kinds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.labelling import label_errors_sentence
from mcviz.analysis.layouts import load_components
from mcviz.app.wording import as_markdown
from mcviz.measures import most_uncertain_first
from mcviz.reviews import ReviewSummary, compute_outcome, open_reviews, summarise_reviews
from mcviz.text import significant
from tests.app.keeping import kept_of
from tests.app.kinds import passes
from tests.app.opening import SECONDS, assert_sound, switch_page
from tests.app.probing import words
from tests.app.test_kinds import tiles_of
from tests.cases import one_in

ROOT = Path(__file__).parents[2]
EXAMPLES = 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three classes with and without labels, of texts, of rows and of many classes; and a regression."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    labels = rng.integers(0, 3, EXAMPLES)
    rows = rng.normal(size=(EXAMPLES, 4)).astype(np.float32)
    texts = [f"A film, number {example}." for example in range(EXAMPLES)]
    images = rng.integers(0, 256, (EXAMPLES, 8, 8, 1), dtype=np.uint8)
    names = ["*cat*", "dog", "owl"]
    for name, more in {
        "images": {"data": images, "labels": labels, "class_names": names},
        "unlabelled": {"data": images[::-1], "class_names": names},
        "texts": {"data": texts, "labels": labels},
        "rows": {"data": rows, "labels": labels},
        "numbers": {"labels": labels},
    }.items():
        mcviz.write_run(folder / name, passes(rng, EXAMPLES, 3, labels), **more)
    many = rng.integers(0, 12, EXAMPLES)
    mcviz.write_run(
        folder / "many", passes(rng, EXAMPLES, 12, many), labels=many, class_names=[f"kind {c}" for c in range(12)]
    )
    mcviz.write_run(folder / "values", rng.normal(size=(5, EXAMPLES, 1)), task="regression")
    measured = {"labels": rng.normal(size=EXAMPLES), "data": rows, "target_names": ["weight"], "unit": "kg"}
    mcviz.write_run(folder / "measured", rng.normal(size=(5, EXAMPLES, 1)), task="regression", **measured)
    return folder


@pytest.fixture
def cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, without decisions."""
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(made, tmp_path / "cache"))


def opened(
    run: str, reviewer: str | None = "Ada", user: dict[str, object] | None = None, part: str = "queue", **query: str
) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=SECONDS)
    if user:
        app.user, app.secrets["auth"] = user, {"client_id": "mcviz"}
    for key, value in {"run": run, "part": part, **query}.items():
        app.query_params[key] = value
    if reviewer is not None:
        kept_of(app)["reviewer"] = reviewer
    switch_page(app, "review").run()
    assert_sound(app)
    return app


def queue(cache: Path, name: str) -> list[int]:
    scores = mcviz.open_run(cache / name).scores()["max_probability"].to_numpy()
    return most_uncertain_first("max_probability", scores).tolist()


def shown(app: AppTest) -> int:
    (found,) = {int(each.key.split("-")[-2]) for each in app.button if each.key and each.key.startswith("review-")}
    return found


def named(widgets, name: str):
    """The button or field of a name, of the example that is shown."""
    (found,) = (each for each in widgets if each.key and each.key.startswith(f"review-{name}-"))
    return found


def press(app: AppTest, name: str) -> None:
    named(app.button, name).click().run()
    assert_sound(app)


def known(cache: Path, name: str) -> ReviewSummary:
    run = mcviz.open_run(cache / name)
    return summarise_reviews(run, open_reviews(run).rows())


def answers(cache: Path, name: str, reviewer: str = "Ada") -> dict[int, tuple[str, int | None]]:
    return {
        example: (each.kind, each.class_index) for example, each in known(cache, name).decisions_by(reviewer).items()
    }


@pytest.mark.parametrize("name", one_in(3, ["images", "texts", "rows", "unlabelled", "numbers"]))
def test_decisions_are_kept_and_the_next_hardest_example_follows(cache: Path, name: str) -> None:
    app, order = opened(name), queue(cache, name)
    assert shown(app) == order[0]
    for action in ("class-1", "none", "skip", "class-0"):
        press(app, action)
    assert answers(cache, name) == {
        order[0]: ("class", 1), order[1]: ("none", None), order[2]: ("skip", None), order[3]: ("class", 0),
    }  # fmt: skip
    assert shown(app) == order[4]
    assert f"**3** of {EXAMPLES} examples decided" in app.get("progress")[0].proto.text
    run = mcviz.open_run(cache / name)
    for answer in ("wrong_label", "label"):
        assert any(f"review-{answer}-" in each.key for each in app.button if each.key) == (run.labels is not None)
    press(app, "prediction")
    assert answers(cache, name)[order[4]] == ("class", run.mean_probs[order[4]].argmax())
    if run.labels is not None:
        press(app, "label")
        assert answers(cache, name)[order[5]] == ("class", run.labels[order[5]])


def test_the_queue_can_be_the_probable_label_errors(cache: Path) -> None:
    run = mcviz.open_run(cache / "images")
    fit = run.mean_probs[np.arange(EXAMPLES), run.labels]
    app = opened("images", part="label_errors", prediction="1")
    assert label_errors_sentence(mcviz.count_label_errors(run)) in words(app)
    assert "Was the model trained on these labels?" in words(app)
    doubted = [each for each in fit.argsort() if run.mean_probs[each].argmax() == 1 != run.labels[each]]
    assert len(doubted) > 1
    for example in doubted:
        assert shown(app) == example
        press(app, "label")
    assert "Every example of this list is decided." in words(app)


def test_an_example_has_its_id_beside_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(2), (4, 3))
    mcviz.write_run(tmp_path / "files", probs, ids=["a/*1*.png", "a/2.png", "b/1.png"])
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("files")
    name = mcviz.open_run(tmp_path / "files").scores()["id"][shown(app)]
    assert f"Example {shown(app)} ({as_markdown(name)}), 1 of 3." in words(app)


def test_without_labels_there_is_no_queue_of_label_errors(cache: Path) -> None:
    app = opened("unlabelled", part="label_errors")
    (parts,) = (each.options for each in app.segmented_control if each.label == "Part")
    assert parts == [f"All {EXAMPLES}", "Disputes", "Results"]
    assert shown(app) == queue(cache, "unlabelled")[0]


def test_disputes_are_shown_with_all_that_was_said_until_they_are_settled(cache: Path) -> None:
    run, order = mcviz.open_run(cache / "images"), queue(cache, "images")
    reviews, labels = open_reviews(run), run.labels
    first, second, agreed, wrong = order[3], order[7], order[0], order[5]

    def add(example: int, reviewer: str, shift: int) -> None:
        reviews.add(example, reviewer, "class", class_name=run.class_names[(labels[example] + shift) % 3])

    for reviewer, shift in (("Ada", 1), ("Bob", 2)):
        add(first, reviewer, shift)  # both say that the label is wrong
        add(second, reviewer, shift - 1)  # one says so
        add(agreed, reviewer, 1)
    add(wrong, "Ada", 1)
    reviews.add(wrong, "Bob", "wrong_label", label=run.class_names[labels[wrong]])  # whatever is right
    reviews.add(first, "Bob", "note", note="*why?*")
    app = opened("images", part="disputes", prediction="1")
    assert shown(app) == first
    names = [as_markdown(run.class_names[(labels[first] + shift) % 3]) for shift in (1, 2)]
    assert f"So far: you: **{names[0]}**; Bob: **{names[1]}**." in words(app)
    assert r"Bob notes: \*why?\*" in words(app)
    assert not any("skip" in each.key for each in app.button if each.key)
    press(app, f"class-{(labels[first] + 1) % 3}")  # as before: Ada stands by it, and goes on
    assert shown(app) == second
    press(app, f"class-{(labels[second] + 1) % 3}")
    assert "**1** of 2 disputes settled" in app.get("progress")[0].proto.text
    assert shown(app) == first
    press(app, "wrong_label")
    assert "Every dispute is settled." in words(app)
    assert "No example is disputed." in words(opened("images", part="disputes"))
    found = compute_outcome(run, known(cache, "images"))
    for example, shift in ((first, 2), (second, 1), (agreed, 1), (wrong, 1)):
        assert found.labels[example] == (labels[example] + shift) % 3
        assert found.mask[example]


def test_undo_goes_back_to_the_example_and_to_what_was_said_before(cache: Path) -> None:
    app, order = opened("images"), queue(cache, "images")
    press(app, "class-1")
    press(app, "back")
    press(app, "class-2")
    assert answers(cache, "images") == {order[0]: ("class", 2)}
    press(app, "undo")
    assert (shown(app), answers(cache, "images")) == (order[0], {order[0]: ("class", 1)})
    press(app, "undo")
    assert (shown(app), answers(cache, "images")) == (order[0], {})
    press(app, "undo")
    assert answers(cache, "images") == {}


def test_an_undo_of_what_is_not_in_the_selection_is_said(cache: Path) -> None:
    order = queue(cache, "images")
    open_reviews(mcviz.open_run(cache / "images")).add(order[5], "Ada", "none")
    app = opened("images", selected=",".join(map(str, order[:3])))
    press(app, "undo")
    assert answers(cache, "images") == {}
    assert f"about example {order[5]}" in app.toast[0].value
    assert shown(app) == order[0]


def test_the_queue_is_walked_through_in_both_directions(cache: Path) -> None:
    order = queue(cache, "images")[:3]
    app = opened("images", selected=",".join(map(str, order)))
    press(app, "back")
    assert shown(app) == order[0]
    for _ in range(len(order) + 1):
        press(app, "forward")
    assert shown(app) == order[-1]
    press(app, "class-0")
    assert shown(app) == order[0]  # the first that is not decided


def test_skipped_examples_come_again_and_then_the_queue_is_done(cache: Path) -> None:
    order = queue(cache, "images")
    app = opened("images", selected=",".join(map(str, order[:3])))
    for action in ("skip", "class-0", "class-1"):
        press(app, action)
    assert shown(app) == order[0]
    press(app, "wrong_label")
    assert "Every example of this list is decided." in words(app)


def test_another_session_goes_on_where_the_first_one_ended(cache: Path) -> None:
    order, app = queue(cache, "images"), opened("images")
    press(app, "class-1")
    press(app, "none")
    assert shown(opened("images")) == order[2]
    assert shown(opened("images", reviewer="Bob")) == order[0]


def test_others_decisions_are_shown_after_one_s_own(cache: Path) -> None:
    ada = opened("images")
    press(ada, "class-0")
    bob = opened("images", reviewer="*Bob*")
    assert "cat" not in "".join(each.value for each in bob.caption)
    press(bob, "class-1")
    said = next(each.value for each in bob.caption if "takes it back" in each.value)
    assert "you: **dog**; Ada: **\\*cat\\***" in said


def test_a_note_is_kept_shown_and_taken_away(cache: Path) -> None:
    app, example = opened("images"), queue(cache, "images")[0]
    named(app.text_input, "note").set_value("*blurred*").run()
    assert known(cache, "images").notes == {(example, "Ada"): "*blurred*"}
    assert named(opened("images").text_input, "note").value == "*blurred*"
    press(app, "undo")
    assert named(app.text_input, "note").value == ""
    assert answers(cache, "images") == {}


def test_of_many_classes_one_is_typed(cache: Path) -> None:
    app, order = opened("many"), queue(cache, "many")
    named(app.selectbox, "class").set_value(11).run()
    assert answers(cache, "many") == {order[0]: ("class", 11)}
    assert shown(app) == order[1]


def test_a_selection_is_the_queue(cache: Path) -> None:
    app = opened("images", prediction="1", score="predictive_entropy")
    scores = mcviz.open_run(cache / "images").scores()
    order = most_uncertain_first("predictive_entropy", scores["predictive_entropy"].to_numpy())
    assert shown(app) == next(each for each in order if scores["prediction"][each] == 1)


def test_what_cannot_be_kept_is_said_and_the_example_stays(cache: Path) -> None:
    app, order = opened("images"), queue(cache, "images")
    press(app, "class-1")
    path = open_reviews(mcviz.open_run(cache / "images")).path
    content = path.read_bytes()
    path.write_bytes(b"not a database" * 1000)
    named(app.button, "class-1").click().run()
    assert_sound(app, "cannot be used")
    path.write_bytes(content)
    app = opened("images")
    assert shown(app) == order[1]


def test_the_example_is_there_at_once_and_a_name_is_asked_for_at_the_first_decision_alone(cache: Path) -> None:
    app, order = opened("images", reviewer=""), queue(cache, "images")
    assert shown(app) == order[0]
    press(app, "class-0")
    assert shown(app) == order[0]
    assert answers(cache, "images") == {}
    app.text_input(key="first-name").set_value("  ")
    submit(app, "Keep the decision")
    assert answers(cache, "images") == {}
    app = opened("images", reviewer="")
    press(app, "class-0")
    app.text_input(key="first-name").set_value(" Ada ")
    submit(app, "Keep the decision")
    assert answers(cache, "images") == {order[0]: ("class", 0)}
    assert shown(app) == order[1]
    press(app, "none")
    assert answers(cache, "images") == {order[0]: ("class", 0), order[1]: ("none", None)}
    assert app.text_input(key="reviewer-name-Ada").value == "Ada"


def test_a_name_can_be_changed_for_what_follows(cache: Path) -> None:
    app, order = opened("images", reviewer=""), queue(cache, "images")
    press(app, "undo")  # of nobody there is nothing to undo
    app.text_input(key="reviewer-name-").set_value("Bob").run()
    press(app, "class-1")
    assert answers(cache, "images", "Bob") == {order[0]: ("class", 1)}


def test_the_browser_keeps_the_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("images", reviewer="Ada L")
    assert any("document.cookie = 'mcviz-reviewer=Ada%20L; " in each.proto.body for each in app.get("html"))
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: {"mcviz-reviewer": "Ada%20L"}))
    app = opened("images", reviewer=None)
    press(app, "class-1")
    assert answers(cache, "images", "Ada L") == {queue(cache, "images")[0]: ("class", 1)}


def submit(app: AppTest, label: str) -> None:
    next(each for each in app.button if each.label == label).click().run()
    assert_sound(app)


def test_a_note_waits_for_the_name_too(cache: Path) -> None:
    app, example = opened("images", reviewer=""), queue(cache, "images")[0]
    named(app.text_input, "note").set_value("blurred").run()
    app.text_input(key="first-name").set_value("Ada")
    submit(app, "Keep the decision")
    assert known(cache, "images").notes == {(example, "Ada"): "blurred"}


def test_the_bar_leads_to_the_probable_label_errors_and_their_count_is_said(cache: Path) -> None:
    run = mcviz.open_run(cache / "images")
    wrong = np.flatnonzero(run.mean_probs.argmax(axis=1) != run.labels)
    app = opened("images", part="")
    (parts,) = (each.options for each in app.segmented_control if each.label == "Part")
    assert parts[:2] == [f"{len(wrong)} to check", f"All {EXAMPLES}"]
    assert f"**{len(wrong)} examples to check** of {EXAMPLES}" in words(app)
    assert label_errors_sentence(mcviz.count_label_errors(run)) in words(app)
    assert f"of {len(wrong)} examples decided" in app.get("progress")[0].proto.text
    assert shown(app) == min(wrong, key=lambda example: run.mean_probs[example, run.labels[example]])


def test_classes_stand_in_their_order_with_the_likeliest_in_bold_and_each_key_once(cache: Path) -> None:
    app, run = opened("numbers"), mcviz.open_run(cache / "numbers")
    example = shown(app)
    buttons = [each for each in app.button if each.key and each.key.startswith("review-class-")]
    assert [int(each.key.split("-")[2]) for each in buttons] == list(range(len(run.class_names)))
    likeliest = run.class_names[run.mean_probs[example].argmax()]
    names = [f"**{name}**" if name == likeliest else name for name in run.class_names]
    assert [each.label.split(" · ")[0] for each in buttons] == names
    app = opened("images")
    label = named(app.button, "class-1").label
    assert label.replace("*", "").startswith("`1` dog")


def test_who_is_logged_in_reviews_under_that_address(cache: Path) -> None:
    app = opened("images", reviewer="Somebody else", user={"is_logged_in": True, "email": "ann@x.org", "name": "Ann"})
    assert not [each for each in app.text_input if each.key.startswith("reviewer-name")]
    assert "Reviewer: **ann@\u2060x.org**" in words(app)
    press(app, "class-0")
    assert [row.reviewer for row in open_reviews(mcviz.open_run(cache / "images")).rows()] == ["ann@x.org"]


def test_who_may_only_look_sees_what_came_of_it_and_decides_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_reviews(mcviz.open_run(cache / "images")).add(3, "Ada", "none")
    old = opened("images")
    monkeypatch.setenv("MCVIZ_READ_ONLY", "1")
    for part in ("queue", "results", ""):
        app = opened("images", part=part)
        assert "Nothing can be labelled here" in words(app)
        assert app.metric[0].value == "1"
        assert len(app.get("download_button")) == 5
        assert not app.file_uploader
        assert not app.text_input
        assert not [each for each in app.button if each.key and each.key.startswith("review-")]
    named(old.button, "class-1").click().run()
    assert "Nothing can be labelled here" in words(old)
    assert answers(cache, "images") == {3: ("none", None)}


@pytest.mark.parametrize("run", ["images", "many"])
@pytest.mark.usefixtures("cache")
def test_keys_can_be_switched_off_for_the_whole_visit(run: str) -> None:
    def buttons() -> list[str]:
        return [each.label for each in app.button]

    app = opened(run)
    assert "`N` No class fits" in buttons()
    assert named(app.text_input, "note").label == "`M` Note"
    app.toggle[0].set_value(False).run()
    assert "No class fits" in buttons()
    assert not [label for label in buttons() if "`" in label]
    assert named(app.text_input, "note").label == "Note"
    press(app, "none")
    app.switch_page("mcviz/app/pages/overview.py").run()
    switch_page(app, "review").run()
    assert "No class fits" in buttons()
    app.toggle[0].set_value(True).run()
    assert "`N` No class fits" in buttons()


def test_of_numbers_a_label_is_right_or_another_number_is_typed_beside_the_nearest_labels(cache: Path) -> None:
    run = mcviz.open_run(cache / "measured")
    order = mcviz.label_issues(run)["example"].tolist()
    app = opened("measured", part="label_errors")
    assert shown(app) == order[0]
    assert f"The label is **{significant(float(run.labels[order[0], 0]))} kg**" in words(app).replace("\\", "")
    vectors = load_components(run)
    far = np.square(vectors - vectors[order[0]]).sum(axis=1)
    nearest = [example for example in np.argsort(far, kind="stable").tolist() if example != order[0]][:6]
    assert tiles_of(app) == nearest
    press(app, "label")
    assert shown(app) == order[1]
    named(app.number_input, "number").set_value(12.5).run()
    assert_sound(app)
    assert shown(app) == order[2]
    press(app, "skip")
    said = known(cache, "measured").decisions_by("Ada")
    assert said[order[0]].label_is_right
    assert (said[order[1]].values, said[order[1]].label_is_right) == ({"weight": 12.5}, False)
    assert said[order[2]].kind == "skip"
    results = opened("measured", part="results")
    assert next(each for each in results.metric if each.label == "Label errors found").value == "1"


def test_what_came_of_it_is_computed_from_the_decisions(cache: Path) -> None:
    app, order, run = opened("images"), queue(cache, "images"), mcviz.open_run(cache / "images")
    reviews = open_reviews(run)
    for example in order[:4]:
        press(app, f"class-{(run.labels[example] + 1) % 3 if example != order[0] else run.labels[example]}")
    bob = opened("images", reviewer="Bob")
    press(bob, "none")
    press(bob, f"class-{(run.labels[order[1]] + 1) % 3}")

    def cards() -> dict[str, str]:
        return {each.label: each.value for each in app.metric}

    app = opened("images", part="results")
    assert (cards()["Decided"], cards()["Label errors found"]) == ("3", "3")
    assert "Ada and Bob gave the same answer to 1 of 2 examples" in words(app)
    disputed = next(each.value for each in app.dataframe if "decisions" in each.value)
    assert disputed["example"].tolist() == [order[0]]
    for example in order[4:20]:
        reviews.add(example, "Ada", "class", class_name=run.class_names[run.labels[example]])
    app = opened("images", part="results")
    assert cards()["Decided"] == "19"
    assert "%" not in "".join(cards().values()), "of so few decisions no percentage is given"
    reviews.add(order[20], "Ada", "class", class_name=run.class_names[run.labels[order[20]]])
    app = opened("images", part="results")
    assert (cards()["Decided"], cards()["Labels confirmed"]) == ("20", "85.00%")
    corrected = run.labels.copy()
    corrected[order[1:4]] = (corrected[order[1:4]] + 1) % 3
    right = (run.mean_probs.argmax(axis=1) == corrected).mean()
    assert cards()["Accuracy"] == f"{100 * right:.2f}%"


@pytest.mark.parametrize("name", one_in(3, ["unlabelled", "texts", "rows", "numbers", "many"]))
@pytest.mark.parametrize("decided", [True, False])
def test_what_came_of_it_is_said_of_runs_of_all_kinds(cache: Path, name: str, decided: bool) -> None:
    if decided:
        open_reviews(mcviz.open_run(cache / name)).add(
            3, "Ada", "class", class_name=mcviz.open_run(cache / name).class_names[0]
        )
    app = opened(name, part="results")
    assert ("Nothing is decided yet." in words(app)) != decided
    assert bool(app.metric) == decided


def test_label_studio_s_annotations_become_decisions(cache: Path) -> None:
    task = {
        "data": {"example": 3},
        "annotations": [{"completed_by": 7, "result": [{"type": "choices", "value": {"choices": ["1"]}}]}],
    }
    for content, said in (([task], ()), ([task], ()), ([{**task, "data": {"example": 99}}], ["does not have"])):
        app = opened("numbers", part="results")
        assert '<Choice value="1" hotkey="1"/>' in app.code[0].value
        app.file_uploader[0].set_value(("export.json", json.dumps(content).encode(), "application/json"))
        next(each for each in app.button if each.label == "Import").click().run()
        assert_sound(app, *said)
    assert answers(cache, "numbers", "Label Studio, user 7") == {3: ("class", 1)}
    assert len(open_reviews(mcviz.open_run(cache / "numbers")).rows()) == 1
