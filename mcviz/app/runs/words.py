"""What a run's manifest says, in words."""

from datetime import UTC, datetime
from typing import Any

from mcviz.app.wording import counted
from mcviz.kinds import kind_of
from mcviz.runs import Layer, ListedRun, Manifest
from mcviz.tasks import task_of
from mcviz.text import one_line

MOST_NAMES = 12  # of classes, targets or layers
BEGINNING = 12  # characters of a digest
STATES = {"finished": "finished", "partial": "partial", "damaged": "damaged", "unreadable": "cannot be read"}


def state_in_words(run: ListedRun) -> str:
    """Whether a run is whole, and how far a partial one is."""
    if run.state != "partial" or run.manifest is None:
        return STATES[run.state]
    return f"partial, {run.examples_done / run.manifest.examples.count:.0%}"


def quality_in_words(run: ListedRun) -> str:
    """How good the ensemble is, such as "accuracy 99.41%"; empty where that is not known."""
    manifest = run.manifest
    if manifest is None or manifest.quality is None:
        return ""
    task = task_of(manifest)
    return one_line(f"{task.quality_name} {task.format_quality(manifest.quality, manifest.unit)}")


def data_in_words(manifest: Manifest) -> str:
    """How many examples of what kind, such as "10,000 images"."""
    plural = kind_of(manifest).plural or "examples"
    return f"{manifest.examples.count:,} {plural if manifest.examples.count != 1 else plural.removesuffix('s')}"


def moment(created: dict[str, Any]) -> datetime | None:
    """When a run was finished, or else begun, in UTC; None where that is not said."""
    try:
        found = datetime.fromisoformat(str(created.get("finished") or created.get("started")))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def manifest_in_words(manifest: Manifest) -> dict[str, str]:
    """What a manifest says, in words by what it is about; every text as one line."""
    model, origin, made = manifest.model, manifest.origin, moment(manifest.created)
    found = {
        "Predicts": _predicts(manifest),
        "Examples": _examples(manifest),
        "Labels": "none" if manifest.labels_sha256 is None else "one for each example",
        "Passes": _passes(manifest),
        "Random layers": _listed([f"{each.name} ({_kind(each)})" for each in origin.stochastic_layers]),
        "Layers that stayed off": _listed(origin.inactive_layers),
        "Model": "not known" if model is None else f"{model.name}, {'kept' if model.stored else 'not kept'} in the run",
        "Output": model.output or "" if model else "",
        "Preprocessing": f"{manifest.preprocessing}. {manifest.preprocessing.reason}".strip(". ") + ".",
        "Also kept": _also_kept(manifest),
        **{f"About: {key}": str(value) for key, value in manifest.about.items()},
        "Made": "" if made is None else f"{made.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "By": ", ".join(f"{name} {version}" for name, version in manifest.created.get("versions", {}).items()),
        "Digest of the run": f"{manifest.digest[:BEGINNING]}…",
        "Digest of its examples": f"{manifest.examples.sha256[:BEGINNING]}…",
    }
    return {one_line(what): one_line(said) for what, said in found.items() if said}


def _predicts(manifest: Manifest) -> str:
    names = _listed(manifest.class_names or manifest.targets)
    what = f"{counted(manifest.classes, 'class')}: {names}" if manifest.classes else f"the values of {names}"
    return f"{what}, in {manifest.unit}" if manifest.unit else what


def _examples(manifest: Manifest) -> str:
    found, images = data_in_words(manifest), manifest.images
    if images is not None:
        height, width, channels = images.shape
        found += f" of {height} × {width} pixels, {counted(channels, 'channel')}"
        return found if images.stored else f"{found}, which are not kept in the run"
    return f"{found}, in the columns {_listed(manifest.examples.content)}" if manifest.examples.content else found


def _passes(manifest: Manifest) -> str:
    if manifest.origin.kind == "imported":
        source = manifest.origin.source
        return f"{manifest.passes:,}, imported{f' from {source}' if source else ''}"
    return f"{manifest.passes:,}, sampled by mcviz with masks {manifest.masks} and seed {manifest.seed}"


def _kind(layer: Layer) -> str:
    return layer.kind if layer.rate is None else f"{layer.kind}, rate {layer.rate:g}"


def _also_kept(manifest: Manifest) -> str:
    kept = {
        "predictions with dropout off": manifest.deterministic,
        f"{manifest.features or 0:,} features by which examples are alike": manifest.features is not None,
        "ids and columns of the examples": manifest.examples.columns_sha256 is not None,
    }
    return ", ".join(what for what, there in kept.items() if there)


def _listed(names: "tuple[str, ...] | list[str]") -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(map(one_line, names[:MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")
