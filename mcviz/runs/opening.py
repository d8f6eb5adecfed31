"""Open a run, if it is finished and complete; how far a partial one is."""

import os

from mcviz.errors import CorruptRunError, PartialRunError
from mcviz.manifest import Manifest
from mcviz.runs.arrays import complete_shards, read_whole_manifest
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.manifest_file import corrupt, read_manifest
from mcviz.runs.run import Run


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a finished run.

    Args:
        path: its folder, or an fsspec address such as `s3://bucket/run`.

    Raises:
        RunNotFoundError: there is no run.
        PartialRunError: its sampling was stopped before the end; the message says how to go on.
        CorruptRunError: a file is missing, or is not what was written.
        InvalidInputError: another version of mcviz wrote it.
        StorageError: it cannot be read.
    """
    folder = folder_at(path)
    while True:
        manifest = read_whole_manifest(folder)
        if manifest.state == "partial":
            raise PartialRunError(describe_progress(folder, manifest))
        if not _find_wrong_size(folder, manifest):
            return Run(folder, manifest)
        was_replaced = read_manifest(folder) != manifest
        if not was_replaced and (wrong := _find_wrong_size(folder, manifest)):
            raise wrong


def is_complete(folder: Folder, manifest: Manifest) -> bool:
    """Whether a run is finished, and every file has its size."""
    return manifest.state == "finished" and _find_wrong_size(folder, manifest) is None


def describe_progress(folder: Folder, manifest: Manifest) -> str:
    """Describe how much of a partial run is done, and how to go on."""
    return (
        f"{folder.path} is a partial run: {examples_done(manifest):,} of {manifest.examples.count:,} examples have "
        f"their {manifest.passes:,} passes. Go on with the `mcviz sample` command that began it (--out {folder.path}), "
        f"or remove it with `mcviz remove {folder.path}`."
    )


def examples_done(manifest: Manifest) -> int:
    """The number of examples whose passes are complete."""
    shards = [manifest.shard_range(shard) for shard in complete_shards(manifest)]
    return sum(stop - start for start, stop in shards)


def _find_wrong_size(folder: Folder, manifest: Manifest) -> CorruptRunError | None:
    """The error for the first file that is missing or of another size, if there is one."""
    sizes = folder.sizes(list(manifest.files))
    for name, file in manifest.files.items():
        if sizes.get(name) != file.bytes:
            found = f"has {sizes[name]} bytes" if name in sizes else "is missing, or no regular file"
            return corrupt(folder.address(name), f"{found}, and should have {file.bytes}")
    return None
