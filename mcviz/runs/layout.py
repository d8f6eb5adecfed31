"""How a run's numbers are cut into files, so that one image is a small read and one block little memory."""

import math

from mcviz.runs.manifest import Layout

BLOCK_BYTES = 1 << 24  # float32 predictions that are held at once
FRAME_BYTES = 1 << 18  # uint16 predictions that are read for one image
IMAGE_BLOCK_BYTES = 1 << 24
IMAGE_FRAME_BYTES = 1 << 15


def layout_for(passes: int, classes: int, image_shape: tuple[int, ...], image_dtype: str) -> Layout:
    """The layout that every run of these sizes gets, whatever the number of its images."""
    image_bytes = math.prod(image_shape) * (1 if image_dtype == "uint8" else 4)
    frame = _between(1, FRAME_BYTES // (2 * passes * classes), 8)
    block = _between(1, BLOCK_BYTES // (4 * passes * classes), 512)
    image_frame = _between(1, IMAGE_FRAME_BYTES // image_bytes, 32)
    image_block = _between(1, IMAGE_BLOCK_BYTES // image_bytes, 1 << 14)
    return Layout(block // frame * frame, frame, image_block // image_frame * image_frame, image_frame)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
