"""What a job's process tells is what the run it makes says, of any kind and task; and why it failed."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcviz
from mcviz.app import sweep
from mcviz.cli import main
from mcviz.cli.base import INTERRUPTED
from mcviz.cli.usage import sample
from mcviz.cli.work import TOP_EXAMPLES, Stopped, Watcher
from mcviz.jobs import JobProgress, Jobs
from mcviz.jobs.of_run import options_of_data, options_of_model
from mcviz.measures import most_uncertain_first
from mcviz.options import format_arguments
from mcviz.runs import Run
from mcviz.sampling import run_sampling
from tests.cases import one_in
from tests.jobs.test_of_run import CASES

SECONDS = 180  # for two processes, one after the other, on a machine that is busy


def watched(jobs: Jobs, arguments: list[str], out: Path) -> JobProgress:
    """Sample as the process of a job does, and give what it told last."""
    job = jobs.add("sample", arguments, out.name, out.name)
    watcher = Watcher(jobs, job.id)
    with sample.make_context("sample", [*job.arguments, f"--out={out}"], obj=watcher) as context:
        sample.invoke(context)
    watcher.tell(ending="finished")
    return jobs.find(job.id).progress


@pytest.fixture
def jobs(tmp_path: Path, jobs_end_at_once: None) -> Jobs:
    """Jobs whose own processes end at once, since their work is done here."""
    return Jobs(tmp_path / "cache")


@pytest.mark.parametrize("case", one_in(3, ["images", "texts", "a regression"]))
def test_what_it_tells_at_the_end_is_what_the_run_says(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    make, data, options = CASES[case]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=2, **options)
    monkeypatch.setattr(run_sampling.SamplerSource, "passes_at_once", 2)
    arguments = [*format_arguments(*options_of_model(run), options_of_data(run)), "--seed=4", "--passes=10"]
    progress = watched(jobs, arguments, tmp_path / "sampled")
    sampled = mcviz.open_run(tmp_path / "sampled")
    table, score = sampled.scores(), progress.score
    first = most_uncertain_first(score, table[score].to_numpy(), sampled.task.scores)[:TOP_EXAMPLES]
    assert [each.example for each in progress.top] == first.tolist()
    assert [each.score for each in progress.top] == pytest.approx(table[score].to_numpy()[first].tolist())
    prediction, label = (next(name for name in table if name.startswith(column)) for column in ("prediction", "label"))
    assert [each.prediction for each in progress.top] == pytest.approx(table[prediction][first].tolist())
    assert [each.label for each in progress.top] == pytest.approx(table[label][first].tolist())
    good = sampled.ensemble_rmse if sampled.targets else sampled.ensemble_accuracy
    assert progress.quality.startswith(f"RMSE {good[-1]:.4g}" if sampled.targets else f"accuracy {good[-1]:.2%}")
    assert (progress.passes, progress.examples, progress.seen, progress.done, progress.total) == (10, 12, 12, 120, 120)
    assert (progress.task, progress.names, progress.unit) == (
        sampled.manifest.task,
        sampled.class_names,
        sampled.manifest.unit,
    )
    shown = [each.shown for each in progress.top]
    if sampled.has_images:
        assert all(each.startswith("data:image/png;base64,") for each in shown)
    else:
        assert shown == ([data.texts[each] for each in first] if data.texts is not None else [""] * len(first))


def test_model_and_data_are_checked_first_and_advice_is_asked_about_before_anything_is_sampled(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, data, options = CASES["fractions"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=2, **options)
    arguments = [*format_arguments(*options_of_model(run), options_of_data(run)), "--passes=3"]

    told = []
    tell = Watcher.tell
    monkeypatch.setattr(Watcher, "tell", lambda self, **news: (told.append(news.get("step", "")), tell(self, **news)))

    def carried_out(out: Path) -> JobProgress:
        job = jobs.add("sample", arguments, out.name, out.name, check_first=True)
        watcher = Watcher(jobs, job.id)
        watcher.checks_first = jobs.find(job.id).is_checking
        with sample.make_context("sample", [*job.arguments, f"--out={out}"], obj=watcher) as context:
            sample.invoke(context)
        watcher.tell(ending="finished")
        return jobs.find(job.id).progress

    progress = carried_out(tmp_path / "sampled")
    assert "of sampling, and time to load and write" in progress.found["3 passes"]
    assert progress.done == progress.total > 0
    tries = f"tries the model on some of {len(run)} images"
    assert list(filter(None, told)) == ["reads the data", "loads TensorFlow", tries]
    monkeypatch.setattr("mcviz.cli.work.ROOM", 1e18)
    with pytest.raises(Stopped) as stopped:
        carried_out(tmp_path / "large")
    assert stopped.value.ending == "asking"
    (asking,) = (each.progress for each in jobs.found() if each.job.run == "large")
    assert "There may be too little room" in asking.advice
    assert not (tmp_path / "large").exists()


def test_a_finished_run_gets_what_overview_shows_and_stays_where_that_is_stopped(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, data, options = CASES["images"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=2, **options)
    arguments = [*format_arguments(*options_of_model(run), options_of_data(run)), "--passes=4", "--noise"]
    watched(jobs, arguments, tmp_path / "sampled")
    found = {path.name for path in (tmp_path / "sampled" / "derived").iterdir()}
    assert {"convergence-max-probability-1.npz", "noise-uniform-1.npz"} <= found
    job = jobs.add("sample", arguments, "stopped", "stopped")
    watcher, tell = Watcher(jobs, job.id), Watcher.tell

    def stop_at_noise(self: Watcher, **changes: object) -> None:
        tell(self, **changes)
        if changes.get("step") == "predicts noise":
            assert mcviz.open_run(tmp_path / "stopped").passes == 4, "it can be read by then"
            jobs.stop(job.id)
            self._asked = 0

    monkeypatch.setattr(Watcher, "tell", stop_at_noise)
    with (
        sample.make_context("sample", [*arguments, f"--out={tmp_path / 'stopped'}"], obj=watcher) as context,
        pytest.raises(Stopped),
    ):
        sample.invoke(context)
    assert mcviz.open_run(tmp_path / "stopped").passes == 4
    assert not list((tmp_path / "stopped").glob("derived/noise-*"))


def test_the_command_line_shows_how_far_noise_is_and_keeps_the_run_that_is_stopped_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, data, options = CASES["images"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=2, **options)
    arguments = [*format_arguments(*options_of_model(run), options_of_data(run)), "--passes=4", "--noise"]
    monkeypatch.setattr("mcviz.cli.progress.SECONDS_BETWEEN_LOG_LINES", 0)
    command, predict = ["sample", *arguments, f"--out={tmp_path / 'sampled'}"], sweep.predict_inputs

    def stop(_run: Run, _sweep: sweep.Sweep, progress: Callable[[int, int], None]) -> None:
        progress(1, 4)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "predict_inputs", stop)
    assert main(command) == INTERRUPTED
    shown = capsys.readouterr().err
    assert "100%  how many passes are enough" in shown
    assert " 25%  predicts 100 noise images" in shown
    assert "the same command makes the rest" in shown
    assert mcviz.open_run(tmp_path / "sampled").passes == 4
    monkeypatch.setattr(sweep, "predict_inputs", predict)
    assert main(command) == 0
    assert (tmp_path / "sampled" / "derived" / "noise-uniform-1.npz").exists()


def test_a_run_that_grows_is_known_from_the_first_moment(jobs: Jobs, tmp_path: Path) -> None:
    make, data, options = CASES["rows"]
    run = mcviz.sample_run(make(), data, tmp_path / "run", passes=3, **options)
    job = jobs.add("sample", ["--passes=5"], "run", "run")
    watcher = Watcher(jobs, job.id)
    watcher.begin(data, run.path)
    watcher.tell()
    progress = jobs.find(job.id).progress
    assert (progress.seen, progress.passes, {each.passes for each in progress.top}) == (12, 3, {3})
    assert progress.quality == f"accuracy {run.ensemble_accuracy[-1]:.2%}"
    assert progress.top[0].id == run.scores()["id"].iloc[progress.top[0].example]


def test_it_ends_where_that_is_wanted_or_the_job_is_gone(jobs: Jobs) -> None:
    job = jobs.add("sample", ["--passes=5"], "run", "run")
    Watcher(jobs, job.id).ask()
    jobs.pause(job.id)
    with pytest.raises(Stopped):
        Watcher(jobs, job.id).ask()
    with pytest.raises(Stopped):
        Watcher(jobs, "nothing").ask()


def test_a_job_whose_folder_was_moved_ends_and_makes_no_part_of_it_again(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add("sample", ["--passes=5"], "run", "run")
    watcher = Watcher(jobs, job.id)
    shutil.move(jobs.cache, tmp_path / "elsewhere")
    with pytest.raises(Stopped):
        watcher.ask()
    watcher.tell(ending="stopped")
    jobs.tend()
    assert not jobs.cache.exists()


def test_time_left_is_by_what_was_done_since_it_began() -> None:
    progress = JobProgress(process=1, started=0, sampling=100, updated=110, before=50, done=150, total=350)
    assert progress.seconds_left() == 20
    assert (
        JobProgress(process=1, started=0, sampling=100, updated=110, before=50, done=50, total=350).seconds_left()
        is None
    )


def test_a_job_that_cannot_be_done_says_why_and_the_next_one_begins(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((4, 4), np.float32))
    jobs = Jobs(tmp_path / "cache")
    wrong = {
        "no model": [f"--model={tmp_path}/none.keras", f"--data={tmp_path}/rows.npz"],
        "no number": [f"--model={tmp_path}/none.keras", f"--data={tmp_path}/rows.npz", "--passes=many"],
    }
    for name, arguments in wrong.items():
        jobs.add("sample", arguments, name, name)
    deadline = time.monotonic() + SECONDS
    while {each.state for each in jobs.found()} != {"failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    messages = {each.job.run: each.message for each in jobs.found()}
    assert messages["no model"].startswith("No model at that place.")
    assert "'many' is not a valid integer range" in messages["no number"]
    assert not [path for path in jobs.cache.iterdir() if path.name in wrong]
