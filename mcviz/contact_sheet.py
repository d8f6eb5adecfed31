"""A contact sheet: the pictures of some examples of a run, in one."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mcviz.figures import thumbnails
from mcviz.figures.style import WRONG
from mcviz.runs import Run

COLUMNS = 8
TILE = 128  # pixels of the side that a picture is fitted into
GAP, CAPTION, MARK = 8, 18, 3  # pixels: between tiles, of the line below a picture, of the mark of a mistake


def draw_contact_sheet(run: Run, examples: Sequence[int] | np.ndarray, columns: int = COLUMNS) -> Image.Image:
    """Draw the pictures of some examples in one, row by row, each with its number below.

    A wrong prediction has a red line under its picture.

    Args:
        run: with its images.
        examples: (n,) numbers of examples, at least one, in the order in which they stand.
        columns: how many stand side by side.

    Returns:
        An RGB picture; small images are enlarged to crisp squares, large ones scaled down to 128 pixels.

    Raises:
        McvizError: the run has no images.
    """
    pictures = thumbnails((run.pictures[int(example)] for example in examples), TILE)
    scale = max(1, TILE // max(pictures.shape[1:3]))
    height, width = (scale * side for side in pictures.shape[1:3])
    columns, step = min(columns, len(pictures)), (max(width, TILE // 2) + GAP, height + MARK + CAPTION + GAP)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP + columns * step[0], GAP + rows * step[1]), "white")
    pen, font, table = ImageDraw.Draw(sheet), ImageFont.load_default(12), run.scores()
    wrong = ~table["correct"].fillna(True) if "correct" in table else table.index < 0
    for place, (example, pixels) in enumerate(zip(examples, pictures, strict=True)):
        left, top = (GAP + at * size for at, size in zip((place % columns, place // columns), step, strict=True))
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        sheet.paste(ImageOps.scale(picture, scale, Image.Resampling.NEAREST), (left, top))
        if wrong[int(example)]:
            pen.rectangle((left, top + height, left + width - 1, top + height + MARK - 1), WRONG)
        pen.text((left, top + height + MARK + 2), f"{example}", "black", font)
    return sheet
