"""The manifest file: write, read, and check its checksum."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, MissingPackageError, RunNotFoundError
from mcviz.extras import IMPORT_VARIABLE, is_in_modules, require_torch
from mcviz.kinds import KINDS
from mcviz.manifest import FORMAT, MAX_CHUNK_BYTES, REVISION, Manifest, StoredFile, canonical, check_claims
from mcviz.runs.storage import Folder
from mcviz.tasks import TASKS
from mcviz.text import printable

NAME = "manifest.json"
UNKNOWN_FIELD = "Object contains unknown field"  # of msgspec's messages
MAX_MANIFEST_BYTES = 1 << 26
# Fields that are None in most manifests, which are without them as they were before there were these.
LEFT_OUT = "label_maps", "mean_sha256", "examples_with_labels", "target_scaler"
SMALLEST_ENTRY = 128  # bytes at least for each file in a manifest


def check_size(manifest: Manifest, names: Iterable[str]) -> None:
    """Check that a run's manifest stays readable when it lists all files.

    Args:
        manifest: of the run.
        names: of all its files.

    Raises:
        InvalidInputError: it does not.
    """
    files = dict.fromkeys(names, StoredFile(MAX_CHUNK_BYTES, "0" * 64))
    if len(files) * SMALLEST_ENTRY < MAX_MANIFEST_BYTES:
        return
    size = len(_encode(replace(manifest, files=files)))
    if size > MAX_MANIFEST_BYTES:
        raise InvalidInputError(
            f"The run would be of more files than its manifest can list. Received: {len(files):,} files, a manifest of "
            f"{size >> 20:,} MB; at most {MAX_MANIFEST_BYTES >> 20} MB are read. Keep the run without its images "
            "(--no-keep-images), or make several runs."
        )


def write_manifest(folder: Folder, manifest: Manifest, name: str = NAME) -> None:
    """Write a manifest, from which a finished run counts."""
    folder.write(name, _encode(manifest))


def _encode(manifest: Manifest) -> bytes:
    content = msgspec.to_builtins(manifest) | {"digest": manifest.digest}
    if manifest.revision:
        content["revision"] = manifest.revision
    for name in LEFT_OUT:
        if getattr(manifest, name) is None:
            del content[name]
    if manifest.origin.device is None:  # as it was before there was a choice
        del content["origin"]["device"]
    content["checksum"] = _checksum(content)
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode()


def read_manifest(folder: Folder, name: str = NAME) -> Manifest:
    """Read a run's manifest and check its checksum.

    Raises:
        RunNotFoundError: there is none.
        CorruptRunError: it was changed, or claims something impossible.
        InvalidInputError: another version of mcviz wrote it.
    """
    try:
        data = folder.read(name, 0, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise RunNotFoundError(
            f"There is no run at {folder.path}. Make one with "
            f"`mcviz sample --model MODEL --data FILE.npz --out {folder.path}`."
        ) from error
    try:
        content = json.loads(data.decode())
        if content.pop("checksum") != _checksum(content):
            raise ValueError("it does not match its checksum")
        if content["format"] != FORMAT:
            raise _OtherVersionError(
                f"{folder.path} is in format {content['format']!r:.60} and this mcviz reads format {FORMAT}. "
                "Use the version of mcviz that wrote it."
            )
        if (revision := content.pop("revision", 0)) > REVISION:
            raise _later_version(folder, f"it is of revision {revision!r:.60}, and this version reads {REVISION}")
        if (kept := content.get("with_passes")) is not None:
            raise _OtherVersionError(
                f"{folder.path} keeps a summary, with the passes of {kept!r:.60} examples alone, which this mcviz does "
                "not read. Sample it again into another folder, or open it with a version from before the release of "
                "0.1.0."
            )
        digest = content.pop("digest")
        manifest = msgspec.convert(content, Manifest)
        if manifest.digest != digest:
            raise ValueError("its digest is not that of what it says")
        _check_text(content)
        _check_claims(manifest)
    except _OtherVersionError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, msgspec.ValidationError) and str(error).startswith(UNKNOWN_FIELD):
            field = printable(str(error).removeprefix(UNKNOWN_FIELD))
            raise _later_version(folder, f"it has the field{field:.200}, which this version does not know") from error
        raise corrupt(folder.address(name), f"is damaged: {error}") from error
    return manifest


def corrupt(address: str, what: str) -> CorruptRunError:
    """Return the error for a damaged file; `what` follows its address."""
    return CorruptRunError(
        f"{address} {printable(what):.500}. Restore it from a copy, or remove the run and sample again."
    )


def replaced(path: str) -> RunNotFoundError:
    """Return the error for a replaced run."""
    return RunNotFoundError(f"{path} was replaced by another run since it was opened. Open it again.")


def check_manifest(manifest: Manifest) -> None:
    """Check a new manifest as strictly as a read one.

    Raises:
        InvalidInputError: no run can be so.
    """
    try:
        content = msgspec.to_builtins(manifest)
        msgspec.convert(content, Manifest)
        _check_text(content)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInputError(f"No run can be so: {error}.") from error
    _check_claims(manifest)


class _OtherVersionError(InvalidInputError):
    pass


def _later_version(folder: Folder, what: str) -> _OtherVersionError:
    return _OtherVersionError(f"{folder.path} was written by a later version of mcviz: {what}. Update mcviz.")


def _check_text(content: dict[str, Any]) -> None:
    """Raise ValueError for lone surrogates, infinity or NaN."""
    json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def _check_claims(manifest: Manifest) -> None:
    if manifest.task not in TASKS:
        raise InvalidInputError(f"the task is {manifest.task!r:.60}, and this mcviz knows {', '.join(TASKS)}")
    kind = manifest.examples.kind
    if kind not in KINDS:
        raise InvalidInputError(f"examples are {kind!r:.60}, which this mcviz does not know")
    check_claims(manifest)
    for holds, what in (*KINDS[kind].content.claims(manifest), *TASKS[manifest.task].claims(manifest)):
        if not holds:
            raise InvalidInputError(what)


def explain_closed_model(manifest: Manifest, modules: Sequence[str]) -> str:
    """Explain in Markdown why a run's model cannot be opened here, or return "".

    Names in a run, which is a file, are imported only from the operator's modules.

    Args:
        manifest: of the run.
        modules: that the operator has named, with all that is in them.
    """
    model = manifest.model
    if model is None or (model.backend == "keras" and not model.function and not model.transform):
        return ""
    if manifest.inputs_sha256 is not None:
        return (
            "This run's model was given arrays that are not in the run, so it cannot be asked about others. Sample it "
            "with a transform, which makes the model's input of an example."
        )
    if not model.function or (model.has_transform and not model.transform):
        missing = "transform of its examples" if model.function else "function that builds it"
        return (
            f"This run has its model's weights, and does not name the {missing}. To ask it about new examples, sample "
            "it from `mcviz.load_torch('package.module:function', weights=…, transform='package.module:function')`."
        )
    closed = [name for name in (model.function, model.transform) if name and not is_in_modules(name, modules)]
    if closed:
        packages = dict.fromkeys(name.partition(":")[0].partition(".")[0] for name in closed)
        return (
            "This run's model is built by code that the run only names, "
            f"{' and '.join(f'`{name}`' for name in closed)}. Code is imported from packages that you name: if you "
            f"trust it, start again with `{' '.join(f'--import {name}' for name in packages)}`, or with "
            f"`{IMPORT_VARIABLE}='{' '.join(packages)}'`."
        )
    try:
        require_torch()
    except MissingPackageError as error:
        return str(error)
    return ""
