"""Describe a run and its manifest in words."""

from datetime import UTC, datetime

from mcviz.app.wording import counted
from mcviz.kinds import kind_of
from mcviz.runs import Layer, ListedRun, Manifest
from mcviz.tasks import task_of
from mcviz.text import one_line

MOST_NAMES = 12  # of classes, targets or layers
BEGINNING = 12  # characters of a digest
STATES = {"finished": "finished", "partial": "partial", "damaged": "damaged", "unreadable": "cannot be read"}


def describe_state(run: ListedRun) -> str:
    """The state of a run, with the share of its examples that a partial one has."""
    if run.state != "partial" or run.manifest is None:
        return STATES[run.state]
    return f"partial, {run.examples_done / run.manifest.examples.count:.0%}"


def describe_quality(run: ListedRun) -> str:
    """The quality of the ensemble, such as "accuracy 99.41%"; empty where it is not known."""
    manifest = run.manifest
    if manifest is None or manifest.quality is None:
        return ""
    task = task_of(manifest)
    return one_line(f"{task.quality_name} {task.format_quality(manifest.quality, manifest.unit)}")


def describe_examples(manifest: Manifest) -> str:
    """The number and kind of the examples, such as "10,000 images"."""
    plural = kind_of(manifest).plural or "examples"
    return f"{manifest.examples.count:,} {plural if manifest.examples.count != 1 else plural.removesuffix('s')}"


def time_made(manifest: Manifest) -> datetime | None:
    """The time at which a run was finished, or else begun, in UTC; None where it is not known."""
    return manifest.time("finished") or manifest.time("started")


def describe_manifest(manifest: Manifest) -> dict[str, str]:
    """The facts of a manifest by their titles, each text on one line."""
    model, origin, made = manifest.model, manifest.origin, time_made(manifest)
    found = {
        "Predicts": _describe_outputs(manifest),
        "Examples": _describe_content(manifest),
        "Labels": "none" if manifest.labels_sha256 is None else "one for each example",
        "Passes": _describe_passes(manifest),
        "Random layers": _join([f"{each.name} ({_describe_layer(each)})" for each in origin.stochastic_layers]),
        "Layers that stayed off": _join(origin.inactive_layers),
        "Model": "not known" if model is None else f"{model.name}, {'kept' if model.stored else 'not kept'} in the run",
        "Built by": model.function if model else "",
        "Transform": model.transform if model else "",
        "Output": model.output or "" if model else "",
        "Preprocessing": f"{manifest.preprocessing}. {manifest.preprocessing.reason}".strip(". ") + ".",
        "Also kept": _list_kept(manifest),
        **{f"About: {key}": str(value) for key, value in manifest.about.items()},
        "Made": "" if made is None else f"{made.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "By": ", ".join(f"{name} {version}" for name, version in manifest.created.get("versions", {}).items()),
        "Digest of the run": f"{manifest.digest[:BEGINNING]}…",
        "Digest of its examples": f"{manifest.examples.sha256[:BEGINNING]}…",
    }
    return {one_line(title): one_line(text) for title, text in found.items() if text}


def _describe_outputs(manifest: Manifest) -> str:
    names = _join(manifest.class_names or manifest.targets)
    what = f"{counted(manifest.classes, 'class')}: {names}" if manifest.classes else f"the values of {names}"
    return f"{what}, in {manifest.unit}" if manifest.unit else what


def _describe_content(manifest: Manifest) -> str:
    found, images = describe_examples(manifest), manifest.images
    if images is not None:
        height, width, channels = images.shape
        found += f" of {height} × {width} pixels, {counted(channels, 'channel')}"
        return found if images.stored else f"{found}, which are not kept in the run"
    return f"{found}, in the columns {_join(manifest.examples.content)}" if manifest.examples.content else found


def _describe_passes(manifest: Manifest) -> str:
    if manifest.origin.kind == "imported":
        source = manifest.origin.source
        return f"{manifest.passes:,}, imported{f' from {source}' if source else ''}"
    settings = " and ".join(f"{name} {value}" for name, value in manifest.settings.items())
    return f"{manifest.passes:,}, sampled by mcviz with {settings}"


def _describe_layer(layer: Layer) -> str:
    return layer.kind if layer.rate is None else f"{layer.kind}, rate {layer.rate:g}"


def _list_kept(manifest: Manifest) -> str:
    kept = {
        "predictions with dropout off": manifest.deterministic,
        f"{manifest.features or 0:,} features by which examples are alike": manifest.features is not None,
        "ids and columns of the examples": manifest.examples.columns_sha256 is not None,
    }
    return ", ".join(what for what, there in kept.items() if there)


def _join(names: "tuple[str, ...] | list[str]") -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(map(one_line, names[:MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")
