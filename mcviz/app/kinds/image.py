"""Images: tiles of one sheet, a picture enlarged to crisp squares; noise, drawings, uploads and distortions."""

from typing import Any, ClassVar

import numpy as np
import streamlit as st

from mcviz.app.components.charts import picture
from mcviz.app.kinds.base import TILE, KindRenderer, Tiles
from mcviz.app.probe.images import (
    IMAGE_DISTORTER,
    choose_image_noise,
    draw_image,
    image_noise_sweep,
    load_images,
    upload_image,
)
from mcviz.app.probe.parts import InputKind, Parts, ProbeInput, image_parts
from mcviz.app.resources import has
from mcviz.data import uniform_noise
from mcviz.figures import CRISP_BELOW, png_url, sheet_url
from mcviz.runs import Run

SHEET_COLUMNS = 12
THUMBNAIL = 64  # pixels of one in a table
SMALL_WIDTH = 140  # pixels of one among others


class ImageRenderer(KindRenderer):
    """Images, as the model sees them."""

    inputs: ClassVar = {
        "noise": InputKind("Noise", choose_image_noise, sweep=image_noise_sweep),
        "drawing": InputKind(
            "Draw", draw_image, (":material/draw:", "Draw something on the pad, and the model predicts what it is.")
        ),
        "upload": InputKind("Upload", upload_image, (":material/upload:", "Choose a picture first.")),
        "distortion": InputKind(
            "Distort an example",
            IMAGE_DISTORTER.choose,
            sweep=IMAGE_DISTORTER.sweep,
            along=IMAGE_DISTORTER.along,
            needs={"images"},
        ),
    }
    fits_column = True
    has_noise = True
    has_parts = True
    distorter = IMAGE_DISTORTER

    def render_example(self, run: Run, example: int, width: int) -> None:
        picture(run.pictures[example], f"Example {example}", width)

    def render_input(self, run: Run, content: np.ndarray, spoken: str) -> None:
        picture(content, spoken)
        model = run.manifest.model
        st.caption(f"As the {'transform' if model and model.has_transform else 'model'} sees it.")

    def render_small(self, run: Run, content: np.ndarray, spoken: str) -> None:
        picture(content, spoken, SMALL_WIDTH)

    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        return load_images(run, examples)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        """Return the picture of all tiles, and how the browser cuts it; nothing without the run's images."""
        if not has(run, "images"):
            return Tiles()
        pictures = run.pictures[examples]
        height, width = pictures.shape[1:3]
        return Tiles(
            {
                "sheet": sheet_url(pictures, SHEET_COLUMNS, side),
                "columns": SHEET_COLUMNS,
                "rows": -(-len(pictures) // SHEET_COLUMNS),
                "aspect": width / height,
                "crisp": max(height, width) < CRISP_BELOW,
            }
        )

    def table_columns(self, run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
        if not has(run, "images"):  # a column of that name is the user's own, and nothing to be fetched
            return {}
        thumbnails = [self.thumbnail(run.pictures[example]) for example in examples]
        return {"image": (thumbnails, st.column_config.ImageColumn("image", width="small"))}

    def thumbnail(self, content: np.ndarray) -> str:
        step = max(1, max(content.shape[:2]) // THUMBNAIL)
        return png_url(content[::step, ::step])

    def noise(self, run: Run) -> ProbeInput:
        return ProbeInput(uniform_noise(1, run.image_shape, seed=0)[0], "Uniform noise")

    def parts(self, run: Run, content: np.ndarray) -> Parts:
        return image_parts(content)
