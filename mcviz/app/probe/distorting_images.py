"""The distortions of images: those that look at nothing but images, and an adversarial step, which asks the model."""

import hashlib

import numpy as np

from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.probe.distorting import MIX, Distorter, DistortionSettings
from mcviz.app.probe.predicting import example_images
from mcviz.app.resources import model, model_inputs
from mcviz.data.distortions import DISTORTIONS, Distortion
from mcviz.runs import Run

FGSM = "fgsm"


def _others(run: Run, settings: DistortionSettings, images: np.ndarray) -> np.ndarray:
    """The image that is mixed in, or the signs of the gradient."""
    if settings.name == MIX:
        return example_images(run, np.array([settings.other_example]))
    if settings.name == FGSM:
        return _gradient_signs(run, hashlib.sha256(images.tobytes()).hexdigest(), images)
    return images


@cached_for_run(numbers_key, max_entries=32)
def _gradient_signs(run: Run, pixels: str, _images: np.ndarray) -> np.ndarray:  # noqa: ARG001 (of the images)
    network = model(run)
    from mcviz.sampling.robustness import gradient_sign

    used = run.manifest.model
    signs = gradient_sign(
        network,
        model_inputs(run, _images),
        output=used.output if used else None,
        from_logits=used.from_logits if used else None,
    ).reshape(_images.shape)
    return signs[..., ::-1] if run.manifest.preprocessing.channel_order == "bgr" else signs


def _fgsm_step(images: np.ndarray, step: float, signs: np.ndarray) -> np.ndarray:
    return np.clip(images + np.float32(step) * signs, 0, 1)


IMAGE_DISTORTER = Distorter(
    {
        **DISTORTIONS,
        FGSM: Distortion(
            "Adversarial step (FGSM)",
            "of full brightness",
            0,
            0.5,
            0,
            0.02,
            lambda x, step, _, signs: _fgsm_step(x, step, signs),
        ),
    },
    example_images,
    _others,
    gradual="blur",
    are_pictures=True,
)
