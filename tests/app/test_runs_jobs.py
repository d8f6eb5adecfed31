"""The page Runs starts, shows and changes jobs, and Explore shows whether a ranking holds."""

import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app import new_run, work
from mcviz.app.jobs import describe_work
from mcviz.choices import DEFAULT_PASSES
from mcviz.jobs import FoundJob, Job, JobProgress, Jobs, JobState, Top
from mcviz.jobs.of_run import options_of_data, options_of_model
from mcviz.measures import most_uncertain_first
from mcviz.options import format_arguments
from tests.app.opening import SECONDS, opened_page
from tests.app.probing import button, words


@pytest.fixture
def cache(
    rows_cache: Path, texts_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs_end_at_once: None
) -> Path:
    """A folder of runs with no job; what is started ends at once."""
    for run in (*rows_cache.iterdir(), *texts_cache.iterdir()):
        (tmp_path / run.name).symlink_to(run)
    for variable in ("MCVIZ_MODELS", "MCVIZ_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    return tmp_path


def opened(page: str, *said: str, **query: str) -> AppTest:
    return opened_page(page, query, *said)


def told(jobs: Jobs, job: Job, **news: object) -> None:
    """Make a job's process have told something."""
    wait_for(lambda: not any(each.alive for each in jobs.found()))
    jobs.tell(job.id, replace(JobProgress(process=1, started=0.0, updated=11.0, sampling=1.0), **news))


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def added(cache: Path, name: str = "made", **options: object) -> tuple[Jobs, Job]:
    jobs = Jobs(cache)
    return jobs, jobs.add("sample", ["--passes=10"], name, f"Making *{name}*", **options)


def own_arguments(run: mcviz.Run) -> tuple[str, ...]:
    """By which a run's own model predicts its own examples."""
    return format_arguments(*options_of_model(run), options_of_data(run))


def test_a_new_run_is_started_with_what_was_chosen_and_is_checked_first(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("placed")
    for name in ("nets/deep/one.keras", "nets/.hidden.keras", "nets/notes.txt", "sets/table.csv", "sets/.git"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    monkeypatch.setenv("MCVIZ_MODELS", str(folder / "nets"))
    monkeypatch.setenv("MCVIZ_DATA", f"{folder}/sets:{folder}/nowhere")
    app = opened("runs")
    kept = ["few", "live-texts", "measured", "wide"]
    assert app.selectbox(key="new-run-model").options == [
        "deep/one.keras",
        *(f"model of the run {run}" for run in kept),
    ]
    assert app.selectbox(key="new-run-data").options == ["table.csv", *(f"examples of the run {run}" for run in kept)]
    app.selectbox(key="new-run-task").set_value("regression")
    app.number_input(key="new-run-passes").set_value(7)
    app.number_input(key="new-run-seed").set_value(3)
    app.run()
    app.selectbox(key="new-run-predicts").set_value("mean,std")
    app.text_input(key="new-run-label-column").set_value("high,low")
    app.text_input(key="new-run-unit").set_value("mg/dl").run()
    app.button(key="new-run-start").click().run()
    assert not app.toast, "the job is in the list, and a message would follow to the next page"
    jobs = Jobs(cache)
    (found,) = jobs.found()
    expected = (
        f"--model={folder}/nets/deep/one.keras", "--device=auto", "--task=regression", "--predicts=mean,std",
        f"--data={folder}/sets/table.csv", "--unit=mg/dl", "--label-column=high,low", "--noise", "--passes=7",
        "--masks=per_pass", "--seed=3",
    )  # fmt: skip
    assert (found.job.kind, found.job.run, found.job.check_first) == ("sample", "one-table", True)
    assert found.job.arguments == expected
    told(
        jobs, found.job, sampling=None, ending="asking", found={"rows": "*4* columns", "7 passes": "1 h"}, advice="Hm."
    )
    app.run()
    (findings,) = [each.value for each in app.table if "found" in each.value]
    assert findings.to_dict() == {"found": {"rows": r"\*4\* columns", "7 passes": "1 h"}}
    assert "Hm. Nothing is sampled yet." in words(app)
    assert "Model and data were checked. 7 passes: 1 h" in {each.label for each in app.expander}
    button(app, "Go on").click().run()
    wait_for(lambda: jobs.find(found.job.id).job.started == 2)
    assert not jobs.find(found.job.id).is_checking


@pytest.mark.parametrize(
    ("state", "step", "said"),
    [
        ("starting", "loads TensorFlow", "loads TensorFlow · 12 s"),
        ("running", "", "samples · 12 s"),
        ("running", "predicts noise", "predicts noise · 12 s"),
        ("paused", "loads TensorFlow", "paused"),
    ],
)
def test_a_job_at_work_says_its_step_and_for_how_long_it_has_worked(state: JobState, step: str, said: str) -> None:
    progress = JobProgress(process=1, started=time.time() - 12, step=step)
    job = Job(id="a", kind="sample", arguments=(), run="a", title="a", created="")
    assert describe_work(FoundJob(job, state, progress, alive=True)) == said


def test_a_typed_name_stays_whatever_is_chosen_and_no_name_is_the_proposed_one(cache: Path) -> None:
    app = opened("runs")
    field = app.text_input(key="new-run-name")
    assert (field.value, field.proto.placeholder) == ("", "few-2")
    field.set_value("mine")
    app.selectbox(key="new-run-model").select("model of the run measured").run()
    field = app.text_input(key="new-run-name")
    assert (field.value, field.proto.placeholder) == ("mine", "measured-few")
    app.button(key="new-run-start").click().run()
    assert [found.job.run for found in Jobs(cache).found()] == ["mine"]
    assert app.text_input(key="new-run-name").value == ""
    app.button(key="new-run-start").click().run()
    assert {found.job.run for found in Jobs(cache).found()} == {"mine", "measured-few"}
    assert app.text_input(key="new-run-name").proto.placeholder == "measured-few-2"


def test_what_is_typed_just_before_the_click_on_start_holds(cache: Path) -> None:
    app = opened("runs")
    app.number_input(key="new-run-passes").set_value(7)  # a browser sends it with the click, which takes the focus away
    app.number_input(key="new-run-seed").set_value(3)
    app.text_input(key="new-run-name").set_value("mine")
    app.selectbox(key="new-run-data").set_value("examples of the run measured")
    app.button(key="new-run-start").click().run()
    (found,) = Jobs(cache).found()
    measured = format_arguments(options_of_data(mcviz.open_run(cache / "measured")))
    assert {"--passes=7", "--seed=3", *measured} <= set(found.job.arguments)
    assert found.job.run == "mine"
    assert app.text_input(key="new-run-name").value == ""


def test_more_passes_are_as_many_as_were_typed_just_before_the_click(cache: Path) -> None:
    app = opened("runs", run="measured")
    next(each for each in app.number_input if each.key.startswith("more-passes")).set_value(77)
    app.button(key="more-passes").click().run()
    (found,) = Jobs(cache).found()
    assert "--passes=77" in found.job.arguments


def test_a_start_counts_also_where_a_newer_click_ends_the_drawing_of_the_fields(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_given: object) -> None:
        raise StopException

    app = opened("runs")
    app.button(key="new-run-start").click()
    with monkeypatch.context() as patch:
        patch.setattr(new_run, "_choose_examples", ended)
        app.run()
    assert Jobs(cache).found() == []
    app.run()
    assert len(Jobs(cache).found()) == 1


def test_a_start_that_was_not_drawn_before_the_page_was_left_does_not_come_later(cache: Path) -> None:
    app = opened("runs")
    app.button(key="new-run-start").click()
    app.switch_page("mcviz/app/pages/trust.py").run()
    app.switch_page("mcviz/app/pages/runs.py").run()
    assert app.text_input(key="new-run-name").label == "Name of the run"
    assert Jobs(cache).found() == []


def test_a_segmentation_is_proposed_with_fewer_passes(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("nets")
    (folder / "one.keras").write_text("")
    monkeypatch.setenv("MCVIZ_MODELS", str(folder))
    app = opened("runs")
    assert app.number_input(key="new-run-passes").value == DEFAULT_PASSES
    app.selectbox(key="new-run-task").set_value("segmentation").run()
    (passes,) = (each for each in app.number_input if each.label == "Passes" and each.key.startswith("new-run"))
    assert passes.value == 20
    app.button(key="new-run-start").click().run()
    (found,) = Jobs(cache).found()
    assert {"--task=segmentation", "--passes=20"} <= set(found.job.arguments)


def test_a_name_that_is_taken_is_said_at_the_form(cache: Path) -> None:
    app = opened("runs")
    app.text_input(key="new-run-name").set_value("few").run()
    app.button(key="new-run-start").click().run()
    assert "few is there already" in app.error[0].value
    assert Jobs(cache).found() == []


def test_a_device_is_chosen_where_the_machine_has_another_than_the_processor(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_run, "find_devices", lambda: ())
    assert "new-run-device" not in {each.key for each in opened("runs").selectbox}
    monkeypatch.setattr(new_run, "find_devices", lambda: ("cuda",))
    app = opened("runs")
    assert app.selectbox(key="new-run-device").options == ["auto", "cpu", "cuda"]
    app.selectbox(key="new-run-device").set_value("cuda")
    app.button(key="new-run-start").click().run()
    (found,) = Jobs(cache).found()
    assert "--device=cuda" in found.job.arguments


def test_a_run_is_sampled_again_as_another_one_by_a_number_alone(cache: Path) -> None:
    app, run = opened("runs", run="measured"), mcviz.open_run(cache / "measured")
    number = next(each for each in app.number_input if each.key.startswith("again-passes"))
    assert number.value == run.passes
    number.set_value(30)
    next(each for each in app.button if each.key == "again-start").click().run()
    (found,) = Jobs(cache).found()
    expected = ["--passes=30", "--masks=per_pass", *own_arguments(run), "--noise", "--seed=1"]
    assert (found.job.run, sorted(found.job.arguments)) == ("measured-2", sorted(expected))


def test_of_a_run_s_own_model_and_examples_all_is_known_and_a_selection_is_taken(cache: Path) -> None:
    app = opened("runs", run="few", selected="7,0,5")
    for key in ("new-run-model", "new-run-data"):
        select = app.selectbox(key=key)
        select.set_value(next(each for each in select.options if each.endswith("run few")))
    app.run()
    choice = next(each for each in app.segmented_control if each.label == "Examples")
    run = mcviz.open_run(cache / "few")
    assert "The 3 matching on Explore" in choice.options
    choice.set_value("selected").run()
    app.button(key="new-run-start").click().run()
    (found,) = Jobs(cache).found()
    *arguments, only = found.job.arguments
    assert arguments == [*own_arguments(run), "--noise", "--passes=500", "--masks=per_pass", "--seed=0"]
    assert [int(line) for line in Path(only.removeprefix("--only=")).read_text().split()] == [0, 5, 7]


def test_without_models_it_is_said_how_to_offer_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    mcviz.write_run(tmp_path / "run", np.random.default_rng(0).dirichlet([1, 1], (3, 4)))
    assert "There is no model to sample here. Name folders of yours in the variables" in words(opened("runs"))


def test_a_file_of_the_server_is_not_read_as_names_of_classes(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("placed")
    for name in ("a.keras", "secret,file.npz"):
        (folder / name).write_text("secret")
    monkeypatch.setenv("MCVIZ_MODELS", str(folder))
    monkeypatch.setenv("MCVIZ_DATA", str(folder))
    app = opened("runs")
    for typed in (str(folder / "secret,file.npz"), "/etc/passwd", "a, b"):
        app.text_input(key="new-run-classes").set_value(typed).run()
        app.button(key="new-run-start").click().run()
        *_, found = Jobs(cache).found()
        names = [each for each in found.job.arguments if each.startswith("--class-names")]
        assert names == (["--class-names=a,b"] if typed == "a, b" else [])


def test_a_hundred_classes_can_be_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("placed")
    for name in ("a.keras", "a.npz"):
        (folder / name).touch()
    monkeypatch.setenv("MCVIZ_MODELS", str(folder))
    monkeypatch.setenv("MCVIZ_DATA", str(folder))
    app, typed = opened("runs"), ",".join(f"class {number}" for number in range(100))
    app.text_input(key="new-run-classes").set_value(typed).run()
    app.button(key="new-run-start").click().run()
    (found,) = Jobs(cache).found()
    assert f"--class-names={typed}" in found.job.arguments


def test_a_job_that_runs_shows_how_far_it_is_and_what_it_found(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, job = added(cache)
    told(
        jobs, job, done=40, total=100, examples=50, seen=20, passes=0, quality="accuracy 91.00%",
        score="max_probability", names=("*cat*", "dog"), updated=time.time(), sampling=time.time() - 40,
        top=(Top(17, "scan-17", 4, 0.41, 1.0, 0.0, "a text"), Top(3, "scan-3", 4, 0.5, 0.0, 0.0, "some text")),
    )  # fmt: skip
    monkeypatch.setattr("mcviz.jobs.queue.is_locked", lambda path: path.parent.name == job.id)
    app = opened("runs")
    shown = words(app)
    assert r"**Making \*made\***" in shown
    assert "**Ensemble accuracy 91.00%, of the first 20 examples**." in shown
    (bar,) = app.get("progress")
    assert re.fullmatch(r"0 of 2 passes over 50 examples · about \d+ s left", bar.proto.text)
    assert "The most uncertain ones so far" in {each.label for each in app.expander}
    (found,) = [each.value for each in app.dataframe if "text" in each.value]
    assert found.to_dict("list") == {
        "example": ["scan-17", "scan-3"], "label": ["*cat*", "*cat*"], "predicted": ["dog", "*cat*"],
        "Confidence": ["41.0%", "50.0%"], "passes": [4, 4], "text": ["a text", "some text"],
    }  # fmt: skip
    button(app, "Pause").click().run()
    assert jobs.find(job.id).state == "pausing"
    button(app, "Stop it").click().run()
    assert jobs.find(job.id).state == "stopping"
    monkeypatch.undo()


def test_the_run_of_a_finished_job_is_opened_also_by_a_click_that_comes_as_another_job_ends(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (jobs, job), (_, other) = added(cache, "few"), added(cache, "wide")
    for each in (job, other):
        told(jobs, each, done=100, total=100, ending="finished")
    monkeypatch.setattr("mcviz.jobs.queue.is_locked", lambda path: path.parent.name == other.id)  # still at work
    app = opened("runs", run="measured")
    assert [each.key for each in app.button if (each.key or "").startswith("open-")] == [f"open-{job.id}"]

    def end(_: Jobs) -> None:
        monkeypatch.setattr("mcviz.jobs.queue.is_locked", lambda _: False)

    monkeypatch.setattr(Jobs, "tend", end)  # once the page has begun to list the jobs
    app.button(key=f"open-{job.id}").click().run()
    assert [each.value for each in app.title] == ["Overview"]
    assert app.query_params["run"] == "few"


def test_a_job_that_died_says_why_and_is_gone_on_with(cache: Path) -> None:
    jobs, job = added(cache)
    wait_for(lambda: jobs.find(job.id).state == "died")
    app = opened("runs", "Its process ended without a word")
    button(app, "Go on").click().run()
    wait_for(lambda: jobs.find(job.id).job.started == 2)
    told(jobs, job, ending="failed", message="The *disk* is full.")
    app = opened("runs", r"The \*disk\* is full.")
    assert app.error[0].value == r"The \*disk\* is full."
    button(app, "Stop it").click().run()
    assert jobs.found() == []


def test_a_job_that_is_damaged_is_said_and_the_others_are_shown(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "log", logging.getLogger("expected"))
    names = ["good", "copied", "waiting", "impossible", "unforeseen"]
    found = [added(cache, name) for name in names]
    jobs, folders = found[0][0], {name: jobs.folder / job.id for name, (jobs, job) in zip(names, found, strict=True)}
    wait_for(lambda: jobs.tend() or {each.state for each in jobs.found()} == {"died"})
    for name, changes in {"copied": {"id": "../../elsewhere"}, "unforeseen": {"address": {"embed": "true"}}}.items():
        file = folders[name] / "job.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    (folders["waiting"] / "log").unlink()
    os.mkfifo(folders["waiting"] / "log")
    (folders["impossible"] / "progress.json").write_text('{"process": 1, "started": 0, "done": 1, "total": -1}')
    died = "Its process ended without a word"
    app = opened("runs", "its id is '../../elsewhere'", "should be a regular file", died, died, died, "went wrong")
    shown = [name for name in names if rf"**Making \*{name}\***" in words(app)]
    assert shown == ["good", "impossible", "unforeseen"]
    assert len([each for each in app.button if each.label == "Go on"]) == len(shown)
    said = [
        each.value for each in app.error if each.value.startswith("A job is damaged, and nothing of it was changed. ")
    ]
    assert [folders[name].name in each for name, each in zip(("copied", "waiting"), said, strict=True)] == [True, True]
    assert not any(str(cache.parent) in each for each in said)


def test_a_finished_job_is_taken_off_the_list(cache: Path) -> None:
    jobs, job = added(cache, "few")
    told(jobs, job, ending="finished")
    app = opened("runs")
    button(app, "Take off").click().run()
    assert jobs.found() == []
    assert mcviz.open_run(cache / "few") is not None


def test_more_passes_are_of_the_run_s_own_model_seed_and_masks(cache: Path) -> None:
    app = opened("runs", run="measured")
    run = mcviz.open_run(cache / "measured")
    button(app, "Add passes").click().run()
    (found,) = Jobs(cache).found()
    expected = ["--passes=20", "--masks=per_pass", *own_arguments(run), "--noise", "--seed=0"]
    assert (found.job.run, sorted(found.job.arguments)) == ("measured", sorted(expected))
    button(app, "Add passes").click().run()
    assert "A job that makes the run measured is there already" in app.error[0].value


def test_sampled_again_the_first_of_the_ranking_are_counted_as_by_hand(cache: Path) -> None:
    app = opened("uncertain", run="few", score="predictive_entropy")
    button(app, "Sample again").click().run()
    button(app, "Sample these again").click().run()
    jobs, run = Jobs(cache), mcviz.open_run(cache / "few")
    (found,) = jobs.found()
    *arguments, only = found.job.arguments
    kept = ["--no-keep-images", "--no-keep-model"]
    assert sorted(arguments) == sorted([*own_arguments(run), "--masks=per_pass", "--seed=1", "--passes=10", *kept])
    assert only.startswith("--only=")
    model = mcviz.load_model(run.model_path)
    examples = mcviz.DataSet(None, rows=run.content.reset_index(drop=True))
    mcviz.sample_run(model, examples, jobs.run_of(found.job), passes=10, seed=1)
    told(jobs, found.job, ending="finished")
    app.run()
    assert not app.table, "each score is compared only where somebody wants to see it"
    app.session_state["again-details"] = True
    app.run()
    before, after = run.scores()["predictive_entropy"], mcviz.open_run(jobs.run_of(found.job)).scores()
    firsts = [
        set(np.argsort(-values.to_numpy(), kind="stable")[:10]) for values in (before, after["predictive_entropy"])
    ]
    both = len(firsts[0] & firsts[1])
    said = f"{both} of the 10 most uncertain are again among the 10 most uncertain** by predictive entropy"
    assert said in words(app)
    table = app.table[0].value
    assert [column for column in table if "again" in column] == ["of the first 10, again"]
    assert table.loc["Predictive entropy", "of the first 10, again"] == str(both)
    assert table.loc["by chance", "of the first 10, again"] == "2.5"
    rank = before.rank().corr(after["predictive_entropy"].rank())
    assert float(table.loc["Predictive entropy", "rank correlation"].replace("−", "-")) == pytest.approx(rank, abs=6e-4)
    order = most_uncertain_first("predictive_entropy", before.to_numpy())
    ranking = next(each.value for each in app.dataframe if "rank again" in each.value)
    assert ranking["example"].tolist() == order[:25].tolist()
    assert "again among" not in words(opened("uncertain", run="few", selected="0,5,7"))  # that is another selection
