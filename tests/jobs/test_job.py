"""What a job may ask for is written out here: an option is open to jobs where its field says so, never by mistake."""

import pytest

from mcviz.errors import InvalidInputError
from mcviz.jobs import Job
from mcviz.options import JOB_ARGUMENTS, SampleOptions, all_option_fields

ALLOWED = {
    "--model=", "--data=", "--passes=", "--seed=", "--masks=", "--task=", "--predicts=", "--unit=", "--class-names=",
    "--rename-class=", "--names-in-order", "--background=", "--ignore=",
    "--only=", "--first=", "--split=", "--picture-column=", "--text-column=", "--feature-columns=", "--label-column=",
    "--target-scaler=",
    "--id-column=", "--scaler=", "--preprocess=", "--scale=", "--mean=", "--std=", "--channel-order=", "--vocabulary=",
    "--output=", "--device=", "--crop", "--preprocessed", "--from-logits", "--skip-broken", "--no-keep-images",
    "--no-keep-model", "--noise",
}  # fmt: skip
CLOSED = {each.argument for each in all_option_fields(SampleOptions)} - ALLOWED  # which an option is at first


def job(*arguments: str) -> Job:
    return Job(id="a", kind="sample", arguments=arguments, run="run", title="A run", created="2026-11-27T12:00:00")


def test_a_job_may_have_these_options_and_no_other() -> None:
    assert JOB_ARGUMENTS == ALLOWED
    assert {"--import=", "--trust-model", "--out=", "--weights=", "--transform="} <= CLOSED
    job(*(f"{each}3" if each.endswith("=") else each for each in ALLOWED)).check()


@pytest.mark.parametrize(
    "argument",
    [
        *(f"{each}3" if each.endswith("=") else each for each in sorted(CLOSED)),
        "--model=os:system", "--model=mypackage.models:build", "model.keras", "--out=/elsewhere",
        "--about=a=b", "--import=antigravity",
        "--resume", "--keep-images", "--axes=a,b", "--crop=1", "--passes",
        "--pass=3", "-passes=3", "passes=3", "--", "", "=", "--=", " --passes=3", "--Passes=3", "--passes =3", "-h",
    ],
)  # fmt: skip
def test_what_is_not_an_allowed_option_letter_for_letter_is_refused(argument: str) -> None:
    with pytest.raises(InvalidInputError, match="options that a job may have"):
        job("--passes=3", argument).check()
