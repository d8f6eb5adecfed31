"""A run is made from the page in a real browser, and outlives the browser and the server; others are sampled again."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mcviz
from mcviz.cli import main
from mcviz.data import as_data_set
from mcviz.jobs import FoundJob, Jobs
from tests.browser.conftest import settle
from tests.browsing import check_log, started, troubles_of
from tests.runs.making import contents

EXAMPLES, PASSES, SIDE = 800, 16, 20
MILLISECONDS_FOR_A_JOB = 120_000  # TensorFlow is loaded first, on a machine that may be busy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a model that takes its time, of data, and of runs, with one of the same model in it."""
    folder = tmp_path_factory.mktemp("jobs")
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Dropout(0.3),
            *(layers.Conv2D(12, 3, activation="relu", padding="same") for _ in range(3)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    for name in ("models", "data", "cache"):
        (folder / name).mkdir()
    model.save(folder / "models" / "slow.keras")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (EXAMPLES, SIDE, SIDE), dtype=np.uint8)
    labels = rng.integers(0, 3, EXAMPLES)
    np.savez(folder / "data" / "noise.npz", images=images, labels=labels, class_names=["cat", "dog", "owl"])
    data = as_data_set((images[:60], labels[:60])).with_class_names(["cat", "dog", "owl"])
    mcviz.sample_run(model, data, folder / "cache" / "few", passes=16)
    return folder


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    places = {f"MCVIZ_{name}": str(folder / name.lower()) for name in ("CACHE", "MODELS", "DATA")}
    with started(folder, **places) as (url, log, process):
        yield url, process
        if process.poll() is None:
            assert "tensorflow" not in Path(f"/proc/{process.pid}/maps").read_text()  # which is the job's alone
    check_log(log)


@contextmanager
def visitor(browser: Browser, url: str, path: str) -> Iterator[Page]:
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    troubles = troubles_of(page, url)
    page.goto(path)
    yield page
    found = list(troubles)
    context.close()
    assert not found, found


def chosen(page: Page, field: str, option: str) -> None:
    page.get_by_role("combobox", name=re.compile(rf"^(Selected.*\. )?{field}")).click()
    page.get_by_role("option", name=option).click()
    settle(page)


def typed(page: Page, field: str, value: str) -> None:
    page.get_by_label(field, exact=True).fill(value)
    page.keyboard.press("Enter")
    settle(page)


def state(page: Page, words: str) -> None:
    badge = page.locator(".stMarkdownBadge").get_by_text(re.compile(rf"^(\w+ )?{words}$"))  # behind its icon
    expect(badge).to_be_visible(timeout=MILLISECONDS_FOR_A_JOB)


def until(page: Page, jobs: Jobs, holds: Callable[[FoundJob], object]) -> FoundJob:
    """The first job of which something holds, as soon as it does."""
    deadline = time.monotonic() + MILLISECONDS_FOR_A_JOB / 1000
    while True:
        for each in jobs.found():
            if holds(each):
                return each
        assert time.monotonic() < deadline, jobs.found()
        page.wait_for_timeout(20)


def test_a_run_is_made_paused_and_gone_on_with_after_a_kill_and_has_the_command_line_s_bits(
    browser: Browser, folder: Path
) -> None:
    jobs = Jobs(folder / "cache")
    with server(folder) as (url, process):
        with visitor(browser, url, "/runs") as page:
            chosen(page, "Model", "slow.keras")
            typed(page, "Name of the run", "made here")  # while the form is drawn for that model
            chosen(page, "Data", "noise.npz")
            name = page.get_by_label("Name of the run", exact=True)
            expect(name).to_have_attribute("placeholder", "slow-noise", timeout=MILLISECONDS_FOR_A_JOB)
            typed(page, "Passes", str(PASSES))
            typed(page, "Seed", "7")
            expect(name).to_have_value("made here")
            page.locator(".st-key-new-run-start button").click()
            state(page, "paused")  # since such a model's accuracy has to be asked about
            expect(page.get_by_text("Nothing is sampled yet.")).to_be_visible()
            page.get_by_text(re.compile("^Model and data were checked. 16 passes: ")).click()
            found = page.get_by_test_id("stTable").filter(has_text="MB of predictions")
            for words in ("20 × 20", "of 512 random, dropout off", "MB of predictions", "Dropout 0.3"):
                expect(found).to_contain_text(words)
            assert not (folder / "cache" / "made here").exists()
            page.get_by_role("button", name="Go on").click()
            pause = page.get_by_role("button", name="Pause")
            expect(pause).to_be_visible()
            at_work = until(page, jobs, lambda each: each.alive and each.progress and each.progress.seen)
            os.kill(at_work.progress.process, signal.SIGSTOP)  # it cannot end before it hears that it is to pause
            pause.click()
            until(page, jobs, lambda each: each.job.wanted == "pause")
            os.kill(at_work.progress.process, signal.SIGCONT)
            state(page, "paused")
            (job,) = jobs.found()
            assert 0 < job.progress.total == EXAMPLES * PASSES
            assert job.progress.done < job.progress.total
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    (listed,) = (each for each in mcviz.list_runs(folder / "cache") if each.path.endswith("made here"))
    assert listed.state == "partial"
    assert 0 < listed.examples_done < EXAMPLES
    with server(folder) as (url, _), visitor(browser, url, "/runs") as page:
        state(page, "paused")
        page.get_by_role("button", name="Go on").click()
        state(page, "finished")
        settle(page)
        page.locator('[class*="st-key-job-"]').get_by_role("button", name="Open", exact=True).click()
        expect(page).to_have_url(re.compile("/overview.*run=made"))
        page.go_back()
        page.get_by_role("button", name="Take off the list").click()
        expect(page.get_by_role("button", name="Take off the list")).to_have_count(0)
    assert jobs.found() == []
    command = ["sample", f"--model={folder}/models/slow.keras", f"--data={folder}/data/noise.npz", "--seed=7"]
    assert main([*command, f"--passes={PASSES}", f"--out={folder}/typed"]) == 0
    made, typed_in = (contents(folder / name) for name in ("cache/made here", "typed"))
    for files in (made, typed_in):
        files.pop("model.keras")  # a zip, with the time at which it was saved
    assert made == typed_in
    mcviz.verify_run(folder / "cache" / "made here")
