"""Finished runs that are made once, and kinds of places that a run can be at: one set of tests serves them all."""

import shutil
from pathlib import Path

import pytest

from tests.runs.making import FORMS, make


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each form, which a test reads; `finished_run` is a copy that it may change."""
    folder = tmp_path_factory.mktemp("finished")
    return {form: Path(make(folder / form / "run", **options).path) for form, options in FORMS.items()}


@pytest.fixture
def form() -> str:
    """Of the run that a test changes, where it does not say which."""
    return "classes of images"


@pytest.fixture
def finished_run(finished_runs: dict[str, Path], form: str, tmp_path: Path) -> Path:
    """The folder of a finished run, with nothing derived from it."""
    return Path(shutil.copytree(finished_runs[form], tmp_path / "run", ignore=shutil.ignore_patterns("derived")))


@pytest.fixture(params=["local", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder for runs, empty, of each kind."""
    if request.param == "local":
        return str(tmp_path)
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    import s3fs

    endpoint = request.getfixturevalue("s3_server")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{abs(hash(request.node.name))}"
    s3fs.S3FileSystem().mkdir(f"s3://{bucket}")
    return f"s3://{bucket}/runs"
