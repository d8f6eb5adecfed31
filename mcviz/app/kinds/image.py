"""Images: tiles of one sheet, a picture enlarged to crisp squares; noise, drawings, uploads and distortions."""

import hashlib
from typing import Any, ClassVar

import numpy as np
import streamlit as st

from mcviz.app.components import chart, load_assets, picture
from mcviz.app.kinds.base import (
    MIX,
    MOST_INPUTS,
    TILE,
    Contributions,
    Distorter,
    DistortionSettings,
    InputKind,
    KindRenderer,
    Parts,
    ProbeInput,
    SweepInputs,
    Tiles,
    choose_noise,
)
from mcviz.app.resources import cached_for_run, has, model_inputs, numbers_key, sampler
from mcviz.app.server import UploadedFile
from mcviz.app.state import PageState, choose_name, session_store, state_widget_args, widget_value
from mcviz.app.wording import as_markdown
from mcviz.data.drawing import LUMA, Stroke, Windows, center_digit, render_strokes
from mcviz.data.pictures import (
    LARGEST_SIDE,
    MOST_UPLOAD_BYTES,
    MOST_UPLOAD_PIXELS,
    edge_brightness,
    fit_picture,
    read_picture,
)
from mcviz.figures import CRISP_BELOW, png_url, sheet_url
from mcviz.figures.passes import map_over_picture
from mcviz.kinds.base import Distortion
from mcviz.kinds.image_distortions import DISTORTIONS, NOISES, uniform_noise
from mcviz.runs import Run
from mcviz.text import one_line, percent

SHEET_COLUMNS = 12
THUMBNAIL = 64  # pixels of one in a table
SMALL_WIDTH = 140  # pixels of one among others
DRAWING = "drawing"  # in the session: what was drawn last, so that it is still there when the pad is shown again
_mounted = st.components.v2.component(
    "mcviz_drawing_pad", css=load_assets("drawing_pad.css"), js=load_assets("drawing_pad.js")
)

FGSM = "fgsm"
OVERSAMPLING = 8  # pixels drawn for each one of the image, before the ink is cut out and scaled
MOST_TO_SEND = 50  # megabytes, as the server takes: more than is read, so that a larger file is refused in our words
INVERTED, INVERT_NEXT, DECODED = "upload-inverted", "upload-turn", "upload-decoded"  # of the session
LARGEST_CENTRED = 64  # pixels, of an image that may be a sign on an empty ground
SAMPLE = 64  # examples, evenly spread, by which a run's images are judged
ALIKE_SHARE = 0.9  # of them, that have to have a background of about the same brightness
BRIGHTNESS_TOLERANCE = 0.2  # of full brightness
CENTRED_WITHIN = 0.1  # of full brightness, by which centring again changes such images: MNIST 0.06, Fashion-MNIST 0.18


def drawing_pad(aspect: float) -> list[Stroke]:
    """Render the pad, and return the strokes that are drawn on it.

    Args:
        aspect: its width in heights.
    """
    strokes = session_store().get(DRAWING, [])
    pad = _mounted(
        key="pad",
        data={"strokes": strokes, "aspect": aspect},
        default={"strokes": strokes},
        on_strokes_change=lambda: None,
    )
    session_store()[DRAWING] = pad.strokes
    return [_stroke(sent) for sent in pad.strokes]


def _stroke(sent: dict[str, Any]) -> Stroke:
    return Stroke(float(sent["width"]), tuple((float(x), float(y)) for x, y in sent["points"]))


def choose_image_noise(run: Run, state: PageState) -> None:  # noqa: ARG001 (of every run)
    """Render the controls of noise images."""
    with st.popover("Other noise images", icon=":material/tune:"):
        choose_noise(NOISES, choose_name(state.noise, NOISES))
        st.slider(
            "Strength",
            0.0,
            1.0,
            step=0.05,
            format="percent",
            help="0 is an even grey.",
            **state_widget_args("strength", state.strength),
        )


def image_noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Return noise images of the chosen kind and strength, each of the seed that is its number."""
    kind, strength = choose_name(state.noise, NOISES), state.strength

    def load(start: int, stop: int) -> np.ndarray:
        return np.concatenate([NOISES[kind].draw(1, run.image_shape, seed, strength) for seed in range(start, stop)])

    name = f"{NOISES[kind].label.lower()} at {percent(strength, 0)} strength"
    stored_as = f"noise-{kind.replace('_', '-')}" if strength == 1 else ""
    return SweepInputs("noise images", name, MOST_INPUTS, load, run.numbers_version, stored_as=stored_as)


def draw_image(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a drawing is not in the address)
    """Render the drawing pad; the input is None while it is blank."""
    height, width, channels = run.image_shape
    strokes = drawing_pad(width / height)
    centre = centring_toggle(run, "drawing-centred")
    if not strokes:
        return None
    if centre:
        grey = center_digit(render_strokes(strokes, OVERSAMPLING * height, OVERSAMPLING * width), height, width)
    else:
        grey = render_strokes(strokes, height, width)
    return ProbeInput(np.repeat(grey[..., None], channels, axis=-1), "The drawing")


def upload_image(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (a file is not in the address)
    """Render the controls of an uploaded picture; the input is None while there is no file.

    Raises:
        InvalidInputError: the file is no picture, or one that cannot be used.
    """
    file = st.file_uploader(
        f"A picture, PNG or JPEG, at most {MOST_UPLOAD_BYTES // 2**20} MB and {MOST_UPLOAD_PIXELS // 10**6} megapixels",
        max_upload_size=MOST_TO_SEND,
        key="picture-file",
    )
    if file is None:
        session_store().pop(DECODED, None)
        st.caption("It is scaled to the size that the model takes, and is not stored.")
        return None
    height, width, channels = run.image_shape
    picture = _decode(file, max(LARGEST_SIDE, height, width))
    offer = st.container()
    if session_store().pop(INVERT_NEXT, False):
        st.session_state[INVERTED] = not widget_value(INVERTED)
    inverted = st.toggle(
        "Invert", key=INVERTED, help="For dark ink on light paper, where the model expects light on dark."
    )
    centre = centring_toggle(run, "upload-centred")
    picture = 255 - picture if inverted else picture
    with offer:
        _offer_to_invert(run, picture)
    if centre:
        image = center_digit(picture.astype(np.float32) / 255 @ LUMA, height, width)[..., None]
    else:
        image = fit_picture(picture, (height, width, channels))
    return ProbeInput(image, f"The uploaded picture {one_line(file.name)}")


def centring_toggle(run: Run, key: str) -> bool:
    """Render a choice to centre small square grey inputs; on if the run's are centred."""
    height, width, channels = run.image_shape
    if channels != 1 or height != width or height > LARGEST_CENTRED:
        return False
    return st.toggle(
        "Centre and scale what is drawn",
        value=_has_centred_images(run),
        key=key,
        help="What is bright is scaled to 20/28 of the picture, on black, with its centre of mass in the middle.",
    )


@cached_for_run(numbers_key, max_entries=8)
def background_brightness(run: Run) -> float | None:
    """Return the edge brightness of nearly all images, 0 to 1, or None."""
    if not run.has_images:
        return None
    edges = np.array([edge_brightness(picture) for picture in _sample_pictures(run)])
    usual = float(np.median(edges))
    return usual if np.mean(np.abs(edges - usual) <= BRIGHTNESS_TOLERANCE) >= ALIKE_SHARE else None


def load_images(run: Run, examples: np.ndarray) -> np.ndarray:
    """Load the images of examples of the run, (n, height, width, channels) float32 in 0..1."""
    return run.value_scale.to_unit(run.images[examples])


def _decode(file: UploadedFile, side: int) -> np.ndarray:
    key = file.file_id, side
    if session_store().get(DECODED, (None, None))[0] != key:
        session_store()[DECODED] = key, read_picture(file.getvalue(), side)
    picture: np.ndarray = session_store()[DECODED][1]
    return picture


def _offer_to_invert(run: Run, picture: np.ndarray) -> None:
    usual = background_brightness(run)
    if usual is None or abs(edge_brightness(picture) - usual) < 0.5:
        return
    its, theirs = ("dark", "bright") if usual > 0.5 else ("bright", "dark")
    st.info(f"Its background is {its}; those of this run's images are {theirs}.", icon=":material/contrast:")
    st.button(
        "Invert the picture",
        type="primary",
        icon=":material/invert_colors:",
        key="upload-invert",
        on_click=lambda: session_store().update({INVERT_NEXT: True}),
    )


@cached_for_run(numbers_key, max_entries=8)
def _has_centred_images(run: Run) -> bool:
    """Return whether centring hardly changes a run's images."""
    if not run.has_images:
        return False
    pictures = _sample_pictures(run)[..., 0].astype(np.float32) / 255
    as_centred = np.stack([center_digit(picture, *picture.shape) for picture in pictures])
    return float(np.abs(pictures - as_centred).mean()) <= CENTRED_WITHIN


def _sample_pictures(run: Run) -> np.ndarray:
    """Load some images, (n, height, width, channels) uint8."""
    return run.pictures[np.arange(0, len(run), -(-len(run) // SAMPLE))]


def _load_companions(run: Run, settings: DistortionSettings, images: np.ndarray) -> np.ndarray:
    if settings.name == MIX:
        return load_images(run, np.array([settings.other_example]))
    if settings.name == FGSM:
        return _gradient_signs(run, hashlib.sha256(images.tobytes()).hexdigest(), images)
    return images


@cached_for_run(numbers_key, max_entries=32)
def _gradient_signs(run: Run, pixels: str, _images: np.ndarray) -> np.ndarray:  # noqa: ARG001 (of the images)
    signs = sampler(run).network.compute_gradient_sign(model_inputs(run, _images)).reshape(_images.shape)
    return signs[..., ::-1] if run.manifest.preprocessing.channel_order == "bgr" else signs


IMAGE_DISTORTER = Distorter(
    {
        **DISTORTIONS,
        FGSM: Distortion(
            "Adversarial step (FGSM)",
            "of full brightness",
            0,
            0.5,
            0.02,
            lambda x, step, _, signs: np.clip(x + np.float32(step) * signs, 0, 1),
            is_share=True,
        ),
    },
    load_images,
    _load_companions,
    are_pictures=True,
)


def image_parts(image: np.ndarray) -> Parts:
    """Return squares of an image, (height, width, channels) float32 in 0..1."""
    windows = Windows.over(*image.shape[:2])

    def render(added: Contributions) -> None:
        left, right = st.columns(2, gap="medium")
        for place, title, values, signed in (
            (left, f"What speaks for {as_markdown(added.name)}", added.mean, True),
            (right, "How far the passes differ", added.std, False),
        ):
            with place:
                st.markdown(f"**{title}**")
                figure = map_over_picture(image, windows.spread(values), windows.step, added.unit, signed=signed)
                most = float(np.abs(values).max())
                chart(figure, f"map-{signed}", f"{title}: a map over the picture, up to {most:.3g} {added.unit}.")
        st.caption(
            "Left, teal: hiding this place lowers the prediction, so it speaks for it. Brown: hiding it raises the "
            "prediction, so it speaks against it. Right: the standard deviation over the passes."
        )

    return Parts(
        len(windows.corners),
        lambda start, stop: windows.hide(image, start, stop),
        f"Squares of {windows.side} × {windows.side} pixels are painted over, one after the other, in the colour of "
        "the picture's edge. This cannot show the effect of what is missing in a picture.",
        render,
    )


class ImageRenderer(KindRenderer):
    """Images, as the model sees them."""

    inputs: ClassVar = {
        "noise": InputKind("Noise", choose_image_noise, sweep=image_noise_sweep, is_noise=True),
        "drawing": InputKind(
            "Draw", draw_image, (":material/draw:", "Draw something on the pad, and the model predicts what it is.")
        ),
        "upload": InputKind("Upload", upload_image, (":material/upload:", "Choose a picture first.")),
        "distortion": InputKind(
            "Distort",
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
        return picture_tiles(run.pictures[examples], side) if has(run, "images") else Tiles()

    def input_tiles(self, run: Run, contents: np.ndarray) -> Tiles:
        channels = 1 if contents.shape[-1] < 3 else 3
        return picture_tiles(np.round(255 * contents[..., :channels]).astype(np.uint8), TILE)

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


def picture_tiles(pictures: np.ndarray, side: int) -> Tiles:
    """Return (n, height, width, channels) uint8 as the picture of all tiles, and how the browser cuts it."""
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
