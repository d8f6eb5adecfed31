"""What a person meets who types `mcviz …`: plain lines, one line on refusal, exit codes."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.cli import main
from mcviz.cli.progress import sampling_progress
from mcviz.extras import INSTALL_KERAS
from tests.cases import one_in
from tests.commands import output_of, refusal_of
from tests.data.hostile import HOSTILE
from tests.interrupting import interrupted, start

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """MNIST-shaped data of 100 images, and a small model with dropout."""
    folder = tmp_path_factory.mktemp("typed")
    rng = np.random.default_rng(0)
    labels = np.arange(100, dtype=np.uint8) % 10
    images = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    np.savez(folder / "mnist.npz", x_train=images, y_train=labels, x_test=images[:40], y_test=labels[:40])
    np.savez(folder / "not_mnist.npz", pictures=images)
    tiny = images[:, :4, :4]
    np.savez(folder / "tiny.npz", x_train=tiny, y_train=labels, x_test=tiny, y_test=labels)
    np.savez(folder / "bright.npz", images=images[:4].astype(np.float32))
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.5, name="half"), layers.Dense(10, "softmax")]
    )
    model.save(folder / "model.keras")
    return folder


@pytest.fixture(scope="module")
def run(folder) -> Path:
    """A run of 6 passes over 40 images."""
    sampled = ["sample", "--model", f"{folder}/model.keras", "--data", f"{folder}/mnist.npz", "--out", f"{folder}/run"]
    assert main([*sampled, "--passes", "6", "--about", "licence=CC0", "--about", "source=a = b"]) == 0
    return folder / "run"


def test_training_prints_each_epoch_and_keeps_model_and_history(folder, tmp_path, capsys):
    out = tmp_path / "new" / "m.keras"
    assert main(["train", "--data", f"{folder}/mnist.npz", "--out", str(out), "--epochs", "2", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in lines[1:3]] == ["epoch  1 of ", "epoch  2 of "]
    history = pd.read_csv(out.with_suffix(".history.csv"), index_col="epoch")
    assert list(history.columns) == ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    assert list(history.index) == [1, 2]
    assert f"{history.loc[2, 'test_accuracy']:.2%}" in lines[2]
    assert mcviz.load_model(out).count_params() == 1_199_882


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere.npz", "There is no data file"),
        ("not_mnist.npz", "it lacks x_train, y_train, x_test, y_test and holds pictures. Give an .npz with"),
        ("tiny.npz", "should be of one size, at least 6 × 6 pixels"),
    ],
)
def test_training_on_what_is_not_mnist_is_refused_in_one_line(folder, tmp_path, capsys, data, message):
    assert main(["train", "--data", f"{folder / data}", "--out", f"{tmp_path}/m.keras"]) == 2
    (line,) = capsys.readouterr().err.splitlines()  # what it has read of a file may be printed before
    assert line.startswith("mcviz: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "control characters in a name",
        "ten thousand names",
        "a named pipe",
        "a device",
        "a link to itself",
        "a file within a file",
    ],
)
def test_hostile_data_are_refused_in_one_line(name, folder, tmp_path, capsys):
    path = tmp_path / "images.npz"
    HOSTILE[name](path)
    sampled = ["sample", "--model", folder / "model.keras", "--data", path, "--out", tmp_path / "run"]
    assert "images.npz" in refusal_of(capsys, *sampled)
    assert not (tmp_path / "run").exists()


@pytest.mark.attack
@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "--model", "m.keras", "--data", "d.npz", "--out", "run", "--about", "licence=\ud83d"],
        ["train", "--out", "m\udfff.keras"],
        ["\udcff"],
    ],
)
def test_what_cannot_be_decoded_is_refused_in_one_line(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refusal_of(capsys, *arguments)
    assert "should be Unicode. Received: '" in line
    assert "\\ud" in line
    assert line.isascii()
    assert list(tmp_path.iterdir()) == []


def test_undecodable_bytes_reach_the_same_refusal(tmp_path):
    command = [sys.executable, "-m", "mcviz", "verify", b"run-\xff"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        r"mcviz: An argument should be Unicode. Received: 'run-\udcff'. Type it anew, or rename the file."
    ]


def test_names_of_every_script_are_taken(folder, tmp_path, capsys):
    out, names = tmp_path / "läufe 数字", [f"цифра {i} 數 ✓" for i in range(10)]
    sampled = ["sample", "--model", f"{folder}/model.keras", "--data", f"{folder}/mnist.npz", "--out", str(out)]
    assert main([*sampled, "--passes", "2", "--class-names", ",".join(names), "--about", "größe=☃"]) == 0
    run = mcviz.open_run(out)
    assert (list(run.class_names), run.manifest.about) == (names, {"größe": "☃"})


def test_training_without_a_network_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    def no_network() -> None:
        raise Exception("URL fetch failure:\nno route")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", no_network)
    line = refusal_of(capsys, "train", "--out", tmp_path / "m.keras")
    assert "(URL fetch failure: no route). Connect to the network, or give an .npz of MNIST with --data." in line


def test_a_place_that_cannot_be_written_is_refused_before_training(folder, tmp_path, capsys):
    (tmp_path / "file").touch()
    line = refusal_of(capsys, "train", "--data", folder / "mnist.npz", "--out", tmp_path / "file" / "m.keras")
    assert "cannot be written" in line
    (tmp_path / "folder.keras").mkdir()
    line = refusal_of(capsys, "train", "--data", folder / "mnist.npz", "--out", tmp_path / "folder.keras")
    assert "folder.keras is a folder" in line
    assert "--out should end in .keras" in refusal_of(capsys, "train", "--out", tmp_path / "m.h5")


def test_a_refusal_ends_the_process_with_code_2_and_no_traceback(folder, tmp_path):
    process = start("train", "--data", folder / "not_mnist.npz", "--out", tmp_path / "m.keras")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1)


@pytest.mark.slow
def test_ctrl_c_in_training_leaves_nothing(folder, tmp_path):
    out = tmp_path / "m.keras"
    process = start("train", "--data", folder / "mnist.npz", "--out", out, "--epochs", 10_000)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == f"mcviz: stopped; {out} was not written.\n"
    assert list(tmp_path.iterdir()) == []


def test_sampling_says_what_is_stochastic_and_what_came_out(folder, tmp_path, capsys):
    out = tmp_path / "run"
    sampled = ["sample", "--model", f"{folder}/model.keras", "--data", f"{folder}/mnist.npz", "--out", str(out)]
    assert main([*sampled, "--passes", "5", "--seed", "7", "--masks", "per_example"]) == 0
    printed = capsys.readouterr()
    assert "half (Dropout 0.5)" in printed.out
    assert "accuracy: ensemble " in printed.out
    assert "100%" in printed.err
    assert "passes/s" in printed.err
    manifest = mcviz.open_run(out).manifest
    assert (manifest.passes, manifest.seed, manifest.masks, manifest.examples.count) == (5, 7, "per_example", 40)


def test_a_run_holds_what_python_samples_and_what_was_told_about_its_data(folder, run):
    opened = mcviz.open_run(run)
    data = mcviz.read_data(folder / "mnist.npz")
    probs = mcviz.sample(mcviz.load_model(folder / "model.keras"), mcviz.as_model_input(data.images), passes=6)
    np.testing.assert_allclose(opened.probs_block(0, 40), probs, rtol=0, atol=1 / 65535)
    np.testing.assert_array_equal(opened.labels, data.labels)
    assert opened.manifest.about == {"licence": "CC0", "source": "a = b"}


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_that_is_trusted_is_opened_with_a_warning(folder, tmp_path, capsys, monkeypatch, ending):
    monkeypatch.setattr("absl.logging.warning", lambda _: None)  # that HDF5 is of old
    layers, model = keras.layers, tmp_path / f"m.{ending}"
    stack = [keras.Input((28, 28, 1)), layers.Lambda(lambda x: 2 * x), layers.Flatten(), layers.Dropout(0.5)]
    keras.Sequential([*stack, layers.Dense(10, "softmax")]).save(model)
    sampled = ["sample", "--model", model, "--data", folder / "mnist.npz", "--out", tmp_path / "run", "--passes", 3]
    refusal_of(capsys, *sampled)
    assert not (tmp_path / "run").exists()
    assert main([*map(str, sampled), "--trust-model"]) == 0
    assert capsys.readouterr().err.startswith(
        f"mcviz: warning: {model} is opened without checks and can run any code on this machine, with your rights.\n"
    )


def test_images_above_1_are_warned_of(folder, tmp_path, capsys):
    sampled = ["sample", "--model", f"{folder}/model.keras", "--data", f"{folder}/bright.npz", "--passes", "3"]
    assert main([*sampled, "--out", f"{tmp_path}/run"]) == 0
    assert "warning: The images go up to" in capsys.readouterr().err.splitlines()[0]


def test_sampling_into_another_run_is_refused(folder, run, capsys):
    sampled = ["sample", "--model", folder / "model.keras", "--data", folder / "mnist.npz", "--out", run]
    assert main([str(argument) for argument in [*sampled, "--passes", "6"]]) == 0
    capsys.readouterr()
    assert main([str(argument) for argument in [*sampled, "--passes", "6", "--seed", "1"]]) == 2
    assert "Another finished run" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_in_sampling_says_how_to_go_on_and_leaves_no_run_that_looks_whole(folder, tmp_path):
    out = tmp_path / "run"
    sampled = ["sample", "--model", folder / "model.keras", "--data", folder / "mnist.npz", "--out", out]
    process = start(*sampled, "--passes", 1_000_000)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("mcviz: warning: The model is right on")  # its weights are random
    assert process.stderr.readline().startswith("[")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    advice = "Every finished shard is kept: the same command makes the rest of"
    assert err.splitlines()[-1] == f"mcviz: stopped. {advice} {out}."
    with pytest.raises((mcviz.PartialRunError, mcviz.RunNotFoundError)):
        mcviz.open_run(out)


def test_verify_prints_the_accuracies_of_the_kept_passes(run, capsys):
    assert main(["verify", str(run)]) == 0
    printed = capsys.readouterr().out
    opened = mcviz.open_run(run)
    right = opened.probs_block(0, 40).mean(axis=0).argmax(axis=1) == opened.labels
    assert f"{right.mean():.2%}" in next(line for line in printed.splitlines() if "ensemble" in line)


def test_verify_of_nothing_is_refused(tmp_path, capsys):
    assert "nothing-here" in refusal_of(capsys, "verify", tmp_path / "nothing-here")


def test_list_names_the_runs_and_says_where_there_are_none(run, tmp_path, capsys, monkeypatch):
    assert main(["list", str(run.parent)]) == 0
    assert f"{run}  finished" in capsys.readouterr().out
    assert main(["list", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"There is no run of your own in {tmp_path}. These came with mcviz")
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    assert main(["list", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"There is no run of your own in {tmp_path}.\n"


def test_a_folder_that_is_not_there_cannot_be_listed(tmp_path, capsys):
    assert f"There is no folder {tmp_path / 'nowhere'}." in refusal_of(capsys, "list", tmp_path / "nowhere")


def test_remove_does_not_ask_about_a_run_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    assert f"There is no run at {tmp_path}" in refusal_of(capsys, "remove", tmp_path)


@pytest.fixture
def removable(tmp_path: Path) -> Path:
    """A run of passes from elsewhere, which takes no model."""
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (2, 4))
    return Path(mcviz.write_run(tmp_path / "run", probs).path)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("", 2), ("n", 2), (EOFError, 2)])
def test_remove_asks_first(removable, monkeypatch, answer, code):
    def answer_question(question: str) -> str:
        assert str(removable) in question
        if answer is EOFError:
            raise EOFError
        return str(answer)

    monkeypatch.setattr("builtins.input", answer_question)
    assert main(["remove", str(removable)]) == code
    assert removable.exists() == (code == 2)


def test_remove_with_yes_does_not_ask(removable, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    assert main(["remove", "--yes", str(removable)]) == 0
    assert not removable.exists()


def test_rename_takes_a_name_alone_or_with_the_same_folder(removable, capsys):
    one, other = removable.with_name("one"), removable.with_name("other")
    assert output_of(capsys, "rename", removable, "one") == f"The run is {one}.\n"
    assert output_of(capsys, "rename", one, other) == f"The run is {other}.\n"
    assert "A run stays in its folder" in refusal_of(capsys, "rename", other, removable.parent / "elsewhere" / "other")
    assert other.exists()


def test_remove_says_what_stays(removable, capsys):
    (removable / "README.md").touch()
    assert main(["remove", "--yes", str(removable)]) == 0
    remaining = f"{removable} is removed. Files that are not part of the run stay: README.md.\n"
    assert capsys.readouterr().out.endswith(remaining)
    assert [path.name for path in removable.iterdir()] == ["README.md"]


def test_without_an_answer_the_refusal_has_a_line_of_its_own(run):
    process = start("remove", run)
    out, err = process.communicate(timeout=60)
    what, asked = out.splitlines(keepends=True)
    assert what.startswith("18 files, ")
    assert (asked, len(err.splitlines())) == (f"Remove the run {run}? [y/N] \n", 1)


def test_nowhere_is_no_place_for_a_run(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "--model", f"{folder}/model.keras", "--data", f"{folder}/mnist.npz", "--out", ""]) == 2
    assert "The address of a folder should not be empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_export_writes_the_scores_as_parquet(run, tmp_path, capsys):
    output_of(capsys, "export", run, "--to", tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), mcviz.open_run(run).scores())
    assert "scores.txt" in refusal_of(capsys, "export", run, "--to", tmp_path / "scores.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command. Type `mcviz --help` to see what it takes."),
        (["dance"], "No such command 'dance'. Type `mcviz --help` to see what it takes."),
        (["sample"], "Missing option '--model'. Type `mcviz sample --help` to see what it takes."),
        (["sample", "--about", "nonsense"], "expected KEY=VALUE, received 'nonsense'"),
        (["sample", "--passes", "many"], "'many' is not a valid integer"),
        (["sample", "--masks", "none"], "'none' is not one of 'per_pass', 'per_example'"),
        (["train", "--sead", "1"], "No such option"),
        (["verify", "a", "b"], "unexpected extra argument"),
        (["dashboard", "--port", "0"], "0 is not in the range"),
    ],
)
def test_a_command_that_cannot_be_read_is_refused_in_one_line(arguments, message, capsys):
    assert message in refusal_of(capsys, *arguments)


@pytest.mark.parametrize("command", ["train", "sample", "verify", "list", "remove", "export", "dashboard"])
def test_help_names_every_command_and_says_what_each_takes(command, capsys):
    assert main(["--help"]) == 0
    assert f"\n  {command} " in capsys.readouterr().out
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: mcviz {command} ")


def test_version_and_help_work_from_a_shell_and_as_a_module():
    beginnings = {("--version",): f"mcviz {mcviz.__version__}\n", ("list", "--help"): "Usage: mcviz list"}
    for arguments, beginning in beginnings.items():
        out, err = start(*arguments).communicate(timeout=60)
        assert (out[: len(beginning)], err) == (beginning, "")


@pytest.mark.slow
@pytest.mark.parametrize("library", ["_multiarray_umath", "libtensorflow_framework"])
def test_ctrl_c_while_libraries_are_loaded_is_one_line_too(folder, tmp_path, library):
    process = start("train", "--data", folder / "mnist.npz", "--out", tmp_path / "m.keras", "--epochs", 10_000)
    loaded = Path(f"/proc/{process.pid}/maps")
    if not loaded.exists():
        process.kill()
        pytest.skip("what a process has loaded is seen on Linux")
    while library not in loaded.read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, f"mcviz: stopped; {tmp_path}/m.keras was not written.\n")


@pytest.mark.attack
@pytest.mark.parametrize("number", one_in(8, [1, 20, 120, 250, 500, 559, 700, 900]))
def test_ctrl_c_within_any_import_is_one_line(number):
    assert interrupted(f"import {number}", "verify", ROOT / "cache/mnist-cnn") == ""


@pytest.mark.attack
@pytest.mark.parametrize("number", one_in(3, [1, 2, 5]))
def test_ctrl_c_before_a_step_of_zarr_is_one_line(number):
    assert interrupted(f"step {number}", "verify", ROOT / "cache/mnist-cnn") == ""


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.parametrize(("command", "number"), [("train", 700), ("sample", 1700), ("train", 2700), ("sample", 3700)])
def test_ctrl_c_within_any_import_of_tensorflow_is_one_line(folder, tmp_path, command, number):
    options = {"train": ["--epochs", 1], "sample": ["--model", folder / "model.keras", "--passes", 3]}
    out = tmp_path / "out.keras"
    typed = [command, *options[command], "--data", folder / "mnist.npz", "--out", out]
    assert interrupted(f"import {number}", *typed) == ""
    assert command == "sample" or not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize(("command", "seconds"), [("train", 1), ("sample", 5), ("train", 5), ("sample", 8)])
def test_ctrl_c_at_any_moment_is_one_line(folder, tmp_path, command, seconds):
    options = {"train": ["--epochs", 10_000], "sample": ["--model", folder / "model.keras", "--passes", 1_000_000]}
    typed = [command, *options[command], "--data", folder / "mnist.npz", "--out", tmp_path / "out.keras"]
    assert interrupted(f"seconds {seconds}", *typed) == ""


@pytest.mark.parametrize("command", ["train", "sample"])
def test_without_tensorflow_the_line_to_type_is_told(command, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mcviz.extras.find_spec", {"keras": None, "tensorflow": None}.get)
    options = {"train": [], "sample": ["--model", folder / "model.keras", "--data", folder / "mnist.npz"]}
    line = refusal_of(capsys, command, *options[command], "--out", tmp_path / "m.keras")
    assert line.endswith(f"Type: {INSTALL_KERAS}")
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock)
    return clock


def test_progress_says_how_far_how_fast_and_how_long(clock):
    stream = Terminal()
    with sampling_progress(10_000, stream) as progress:
        progress(0, 5_000_000)
        clock.now = 1.5
        progress(1_500_000, 5_000_000)
    last = "[######..............]  30%  100.0 passes/s  1,000,000 predictions/s  00:04 left"
    assert stream.getvalue().strip().splitlines()[-1].strip() == last


def test_before_anything_was_measured_no_speed_is_claimed(clock):
    stream = Terminal()
    with sampling_progress(10, stream) as progress:
        progress(0, 100)
    assert {drawing.strip() for drawing in stream.getvalue().strip().split("\r")} == {"[....................]   0%"}


def test_the_speed_of_a_resumed_sampling_counts_only_what_was_sampled_now(clock):
    stream = Terminal()
    with sampling_progress(10, stream) as progress:
        progress(900, 1000)
        clock.now = 10.0
        progress(950, 1000)
    assert stream.getvalue().strip().endswith(" 95%  0.5 passes/s  5 predictions/s  00:10 left")


def test_a_terminal_gets_one_line_drawn_over_and_over_at_most_ten_times_a_second(clock):
    stream = Terminal()
    with sampling_progress(1, stream) as progress:
        for done in range(101):
            clock.now = done / 100
            progress(done, 100)
    assert 9 <= stream.getvalue().count("\r") <= 12
    assert stream.getvalue().count("\n") == 1
    assert "100%" in stream.getvalue()


def test_a_log_file_gets_whole_lines_every_ten_seconds_and_the_last(clock):
    stream = io.StringIO()
    with sampling_progress(1, stream) as progress:
        for done in range(26):
            clock.now = float(done)
            progress(done, 25)
    assert [line[23:26] for line in stream.getvalue().splitlines()] == ["  0", " 40", " 80", "100"]
    assert "\r" not in stream.getvalue()
