"""The command line: `python -m mcviz COMMAND --help` says what each command takes."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mcviz.data import read_images, read_mnist
from mcviz.errors import InvalidInputError, McvizError
from mcviz.progress import SamplingProgress
from mcviz.runs import ListedRun, export_run, list_runs, open_run, remove_run, verify_run

REFUSED = 2
INTERRUPTED = 130  # as a shell reports a command that Ctrl-C ended
SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: as typed after `python -m mcviz`; those of this process without any.

    Returns:
        The exit code: 0, 2 for anything refused, 130 after Ctrl-C.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would bury our own lines
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (McvizError, OSError) as error:
        _tell(str(error))
        return REFUSED
    except KeyboardInterrupt:
        _tell(options.when_stopped.format(**vars(options)))
        return INTERRUPTED
    return 0


def _train(options: argparse.Namespace) -> None:
    if options.out.suffix != ".keras":
        raise InvalidInputError(f"--out should end in .keras. Received: {options.out}.")
    _check_writable(options.out)
    splits = read_mnist(options.data) if options.data else None
    with _without_greeting():
        from mcviz.model.training import load_mnist, save_trained, train

    train_images, test_images = splits or load_mnist()
    print(f"Training on {len(train_images.images):,} images, with seed {options.seed}.", flush=True)
    started = time.perf_counter()

    def report(epoch: int, row: dict[str, float]) -> None:
        print(
            f"epoch {epoch:2d} of {options.epochs}  {time.perf_counter() - started:4.0f} s  "
            f"training: loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {row['test_accuracy']:.2%}",
            flush=True,
        )

    model, history = train(
        train_images,
        test_images,
        epochs=options.epochs,
        seed=options.seed,
        activation=options.activation,
        on_epoch=report,
    )
    history_path = save_trained(model, history, options.out)
    print(f"The model is {options.out}, its history {history_path}.")


def _sample(options: argparse.Namespace) -> None:
    data = read_images(options.data)
    if (highest := data.images.max()) > 1 and data.images.dtype != np.uint8:
        _tell(
            f"warning: the images of {options.data} go up to {highest:g} and reach the model as they are. "
            "If it was trained on 0..1, divide them or save them as uint8."
        )
    with _without_greeting():
        from mcviz.model.loading import load_model
        from mcviz.model.run_sampling import sample_run
        from mcviz.model.sampler import Sampler

    sampler = Sampler(load_model(options.model), **_chosen_output(options))
    print(sampler.description(), flush=True)
    progress = SamplingProgress(len(data.images))
    try:
        run = sample_run(
            sampler,
            data,
            options.out,
            passes=options.passes,
            seed=options.seed,
            masks=options.masks,
            class_names=options.class_names.split(",") if options.class_names else None,
            resume=options.resume,
            keep_images=options.keep_images,
            keep_model=options.keep_model,
            about=dict(options.about),
            progress=progress,
        )
    finally:
        progress.close()
    if run.ensemble_accuracy is not None and run.pass_accuracy is not None:
        print(f"accuracy: ensemble {run.ensemble_accuracy[-1]:.2%}, mean single pass {run.pass_accuracy.mean():.2%}")
    print(f"The run is {run.path}.")


def _chosen_output(options: argparse.Namespace) -> dict[str, Any]:
    return {"output": options.output, "from_logits": True if options.from_logits else None}


def _verify(options: argparse.Namespace) -> None:
    print(verify_run(options.run))


def _list(options: argparse.Namespace) -> None:
    runs = list_runs(options.folder)
    for run in runs:
        print(_described(run))
    if not runs:
        print(f"There is no run in {options.folder}.")


def _described(run: ListedRun) -> str:
    manifest = run.manifest
    line = f"{run.path}  {run.state}  {run.bytes / 1e6:.1f} MB"
    if manifest:
        line += (
            f"  {manifest.passes:,} passes × {manifest.images.count:,} images × {manifest.classes} classes"
            f"  masks {manifest.masks}  seed {manifest.seed}"
        )
    return f"{line}\n    {run.message}" if run.message else line


def _remove(options: argparse.Namespace) -> None:
    if not options.yes and not _confirmed(f"Remove the run {options.run}? [y/N] "):
        raise InvalidInputError(f"{options.run} stays. Answer y, or give --yes, to remove it.")
    left = remove_run(options.run)
    print(f"{options.run} is removed." + (f" What is none of the run's stays: {', '.join(left)}." if left else ""))


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()  # the prompt's line has not ended
        return False


def _export(options: argparse.Namespace) -> None:
    export_run(open_run(options.run), options.to)
    print(f"{options.run} is exported to {options.to}.")


def _check_writable(out: Path) -> None:
    """Find out now rather than after minutes of work."""
    if out.is_dir():
        raise InvalidInputError(f"{out} is a folder. Give --out the path of a file.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InvalidInputError(f"{out} cannot be written ({error.strerror}). Give another --out.") from error


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep off the terminal what TensorFlow's libraries write when they are loaded, before they heed any setting."""
    sys.stderr.flush()
    standard_error = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def _tell(message: str) -> None:
    print(f"mcviz: {' '.join(message.split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mcviz", description="Monte Carlo dropout, kept and looked at.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], None], does: str, when_stopped: str = "stopped.") -> Any:
        added = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        added.set_defaults(command=command, when_stopped=when_stopped)
        return added

    _add_train_options(add("train", _train, "train the reference network on MNIST", "stopped; {out} was not written."))
    _add_sample_options(
        add(
            "sample",
            _sample,
            "sample a model over images into a run, or go on with a run that was stopped",
            "stopped. Nothing that was finished is lost: the same command goes on with {out}.",
        )
    )
    verify = add("verify", _verify, "read every byte of a run and compute its scores and accuracies again")
    verify.add_argument("run", metavar="RUN", help="its folder or fsspec address")
    listing = add("list", _list, "list the runs of a folder")
    listing.add_argument("folder", metavar="FOLDER", nargs="?", default="cache", help="default: %(default)s")
    remove = add("remove", _remove, "take a run away")
    remove.add_argument("run", metavar="RUN", help="its folder or fsspec address")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    export = add("export", _export, "write a run as a file for other tools")
    export.add_argument("run", metavar="RUN", help="its folder or fsspec address")
    kinds = ".parquet (scores), .npz (probs) or .nc (both, as NetCDF)"
    export.add_argument("--to", metavar="FILE", required=True, help=kinds)
    return parser


def _add_train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, metavar="FILE.npz", help="MNIST as Keras packs it; downloaded without it")
    command.add_argument("--out", type=Path, metavar="MODEL.keras", required=True, help="where the model goes")
    command.add_argument(
        "--seed", type=int, default=SHIPPED_SEED, help="of weights, dropout and order (default: %(default)s)"
    )
    command.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    command.add_argument("--activation", default="relu", help="of all layers but the last (default: %(default)s)")


def _add_sample_options(command: argparse.ArgumentParser) -> None:
    flag = argparse.BooleanOptionalAction
    command.add_argument("--model", metavar="MODEL.keras", required=True, help="a Keras classifier with dropout")
    command.add_argument(
        "--data",
        metavar="FILE.npz",
        required=True,
        help="with images and labels, or MNIST; uint8 is divided by 255, unless the model does so itself; "
        "floating point reaches the model as it is",
    )
    command.add_argument("--out", metavar="RUN", required=True, help="the run's folder or fsspec address")
    command.add_argument("--passes", type=int, default=500, help="default: %(default)s")
    command.add_argument("--seed", type=int, default=0, help="of the masks (default: %(default)s)")
    command.add_argument(
        "--masks",
        choices=("per_pass", "per_example"),
        default="per_pass",
        help="one draw of masks for all images of a pass, or one for each image (default: %(default)s)",
    )
    command.add_argument("--class-names", metavar="A,B,…", help="in the order of the model's outputs")
    command.add_argument(
        "--about",
        metavar="KEY=VALUE",
        type=_key_and_value,
        action="append",
        default=[],
        help="what the run should say of its data, such as source=… and licence=…; may be given again",
    )
    command.add_argument("--output", metavar="NAME", help="which output to sample, for a model with several")
    command.add_argument("--from-logits", action="store_true", help="the output is logits, where that cannot be seen")
    command.add_argument("--resume", action=flag, default=True, help="go on with a run that was stopped")
    command.add_argument("--keep-images", action=flag, default=True, help="keep the images in the run")
    command.add_argument("--keep-model", action=flag, default=True, help="keep the model in the run")


def _key_and_value(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, received {text!r}")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
