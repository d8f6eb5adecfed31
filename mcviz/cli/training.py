"""`mcviz train`."""

import tempfile
import time
from pathlib import Path
from typing import Any

import click

import mcviz
from mcviz.cli.options import PATH
from mcviz.cli.printing import say
from mcviz.cli.stopping import loading, report_interrupt
from mcviz.errors import InvalidInputError
from mcviz.extras import require_keras

SHIPPED_SEED = 25  # of the training that the shipped run comes from; its README says what was tried


@click.command(short_help="Train the reference network on MNIST.")
@click.option("--out", type=PATH, metavar="MODEL.keras", required=True, help="Where the model goes.")
@click.option(
    "--data", type=PATH, metavar="PATH", help="Its .npz or the folder of its IDX files; downloaded without it."
)
@click.option("--seed", default=SHIPPED_SEED, show_default=True, help="Of weights, dropout and order.")
@click.option("--epochs", default=10, show_default=True, help="Of training.")
@click.option("--activation", default="relu", show_default=True, help="Of all layers but the last.")
def train(out: Path, data: Path | None, **settings: Any) -> None:
    """Train the reference network on MNIST, and write it with a history of its epochs."""
    stopped = f"stopped; {out} was not written."
    with report_interrupt(stopped):
        _train(out, data, stopped, **settings)


def _train(out: Path, data: Path | None, stopped: str, seed: int, epochs: int, activation: str) -> None:
    require_keras()
    if out.suffix != ".keras":
        raise InvalidInputError(f"--out should end in .keras. Received: {out}.")
    _check_writable(out)
    with loading(stopped):
        read_mnist = mcviz.read_mnist
    splits = read_mnist(data) if data else None
    with loading(stopped):
        from mcviz.sampling.keras.training import load_mnist, save_trained, train

    train_images, test_images = splits or load_mnist()
    say(f"Training on {len(train_images):,} images, with seed {seed}.")
    started = time.perf_counter()

    def report(epoch: int, row: dict[str, float]) -> None:
        say(
            f"epoch {epoch:2d} of {epochs}  {time.perf_counter() - started:4.0f} s  "
            f"training: loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {row['test_accuracy']:.2%}"
        )

    model, history = train(train_images, test_images, epochs=epochs, seed=seed, activation=activation, on_epoch=report)
    history_path = save_trained(model, history, out)
    say(f"The model is {out}, its history {history_path}.")


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
