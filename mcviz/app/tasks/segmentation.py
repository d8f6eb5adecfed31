"""Show segmentation on pages: outlines over the image, the map of doubt, every pass, and figures of each class."""

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from mcviz.analysis.base import group_sentence
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.pairing import class_order, name_apart, paired_class_names
from mcviz.analysis.segmentation_trust import SegmentationTrust, measure_segmentation
from mcviz.analysis.slices import slices
from mcviz.app.components import (
    TURNS,
    Explanation,
    chart,
    heading,
    load_assets,
    picture,
    render_explanation,
    text_table,
)
from mcviz.app.kinds import EXAMPLE_WIDTH
from mcviz.app.kinds.base import TILE, DistortionSettings, ProbeInput, SliderSeries, Tiles, as_batch, predict
from mcviz.app.kinds.image import IMAGE_DISTORTER, load_images, picture_tiles
from mcviz.app.resources import cached_for_run, class_names, has, missing, numbers_key, ranking, run_scores, table
from mcviz.app.selection import Selection
from mcviz.app.state import PageState
from mcviz.app.tasks.base import (
    Evidence,
    ExampleContext,
    Phrases,
    Step,
    Story,
    SweepFindings,
    TaskRenderer,
    TileText,
    describe_classes,
    mark_classes,
    pass_quality,
    predicted_again,
    render_ensemble_sizes,
    review_step,
)
from mcviz.app.wording import all_as_markdown, as_markdown, counted
from mcviz.app.work import progress_bar
from mcviz.data.fitting import scale_label_maps
from mcviz.figures import CRISP_BELOW, class_counts, class_curves, curves_along, sheet_url, thumbnails
from mcviz.figures.style import CLASSES
from mcviz.measures.registry import SEGMENTATION_SCORES, SegmentationPredictions
from mcviz.measures.segmentation import areas, count_overlaps, pairwise_dice
from mcviz.runs import Run
from mcviz.tasks.segmentation import (
    FIGURES,
    OF_LABELS,
    background_of,
    foreground_of,
    label_maps_of,
)
from mcviz.text import list_names, one_line, percent

BLACK = "#000000"
ENOUGH = 0.0005  # of mean Dice: what more passes change of it does not matter
PICTURE_SIDE = 1024  # pixels, that a larger image is scaled down to
NOWHERE = "–"
SPECK = 0.001  # of the image
NAMED = 3  # classes in a sentence, before others are counted
TOLD_DISTORTION, TOLD_AMOUNT = "blur", 0.04  # of a demo; a share of the side
Controls = Literal["all", "few", "none"]  # of the picture with outlines

_mounted = st.components.v2.component(
    "mcviz_label_maps",
    css=load_assets("label_maps.css"),
    js=load_assets("element.js", "latest_data.js", "label_maps.js"),
)


@cached_for_run(numbers_key, max_entries=8, show_spinner="Measuring each class …")
def segmentation_trust(run: Run, group: str | None) -> SegmentationTrust:
    """Measure trust of a run with labels without slices, as `mcviz trust`."""
    return measure_segmentation(run, group=group)


@cached_for_run(numbers_key, max_entries=8, show_spinner="Looking for slices …")
def _slices(run: Run, group: str | None) -> list[str]:
    with progress_bar("permutations done") as progress:
        return slices(run, group=group, progress=progress).sentences


@cached_for_run(numbers_key, max_entries=4)
def class_figures(run: Run) -> dict[str, np.ndarray]:
    """Return the figures of each class of each example, (N, C) float32 each, by the names of `FIGURES`."""
    return {name: run.array(name) for name in FIGURES if name not in OF_LABELS or has(run, "labels")}


def _colours(run: Run) -> list[str]:
    foreground = foreground_of(run.manifest)
    chosen = cycle(CLASSES)
    of_foreground = dict(zip(foreground, chosen, strict=False))
    return [of_foreground.get(number, BLACK) for number in range(len(run.class_names))]


def _read(run: Run, example: int) -> SegmentationPredictions:
    """Read an example's reduced passes and label."""
    passes: SegmentationPredictions = run.predictions_block(example, example + 1)
    labels = run.array("label", example, example + 1) if has(run, "labels") else None
    return replace(passes, classes=np.ascontiguousarray(passes.classes), labels=labels)


def _reduce(run: Run, predictions: np.ndarray) -> SegmentationPredictions:
    """Reduce (T, n, K) predictions like those of a run."""
    rows = run.task.encode(run.manifest, predictions, None)
    reduced: SegmentationPredictions = run.task.decode(run.manifest, rows)
    return reduced


def draw_outlines(pictures: np.ndarray, maps: np.ndarray, colours: list[str], background: int) -> np.ndarray:
    """Draw outlines of label maps that leave the inside visible.

    Args:
        pictures: (n, height, width, 1 or 3) uint8.
        maps: (n, H, W) uint8, of another size perhaps.
        colours: of each class, such as "#E69F00".
        background: the class without an outline, or -1.

    Returns:
        (n, h, w, 3) uint8; small pictures are enlarged to crisp squares, so that lines are thin.
    """
    enlarged = max(1, (CRISP_BELOW - 1) // max(pictures.shape[1:3]))
    drawn = pictures.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    drawn = np.broadcast_to(drawn, (*drawn.shape[:3], 3)).copy()
    maps = scale_label_maps(maps, (drawn.shape[1], drawn.shape[2]))
    palette = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours], np.uint8)
    rank = np.arange(len(colours)) + 1  # of two classes that touch, the later one is drawn into the earlier one
    rank[background if background >= 0 else slice(0, 0)] = 0
    ranks, thickness = rank[maps], 1 if max(drawn.shape[1:3]) < CRISP_BELOW else 2
    for step in range(1, thickness + 1):
        for axis in (1, 2):
            before = (slice(None),) * axis
            here, there = (*before, slice(None, -step)), (*before, slice(step, None))
            for inside, outside in ((here, there), (there, here)):
                edge = ranks[inside] > ranks[outside]
                drawn[outside][edge] = palette[maps[inside][edge]]
    return drawn


def _pack(planes: list[np.ndarray]) -> str:
    return base64.b64encode(zlib.compress(np.stack(planes).tobytes(), 1)).decode()


def describe_maps(
    run: Run,
    of: SegmentationPredictions,
    picture: np.ndarray | None,
    spoken: str,
    *,
    controls: Controls = "all",
    disagreement: bool = False,
    plays: bool = False,
    passes: bool = True,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Describe the outlines of one image over it, as prediction, label and passes have them, and the maps of doubt.

    Args:
        run: whose classes they are.
        of: the passes over one image, with its label where that is known.
        picture: (height, width, channels) uint8, or None.
        spoken: what it shows, for those who cannot see it.
        controls: "few" where it stands among others, and "none" where somebody tells of it.
        disagreement: whether the map of passes that differ is over it at first.
        plays: whether one pass is drawn after the other.
        passes: whether each pass is there; or else only where they differ.
        names: of the classes; those of the run without it.
    """
    planes = [*(of.classes[:, 0] if passes else ()), of.mean_class[0]]
    maps: list[dict[str, object]] = []
    if of.labels is not None:
        planes.append(of.labels[0])
    named = {"Predictive entropy": of.predictive_entropy, "Mutual information": of.mutual_information}
    for name, nats in named.items():
        if nats is not None and controls == "all" and passes:
            most = max(float(nats.max()), 1e-6)
            planes.append(np.rint(nats[0] * (255 / most)).astype(np.uint8))
            maps.append({"name": name, "unit": "nats", "most": most})
    if not passes:
        planes.append(np.rint(255 * (of.classes[:, 0] != of.mean_class[0]).mean(axis=0)).astype(np.uint8))
        maps.append({"name": "Share of passes that differ", "unit": "%", "most": 100})
    height, width = of.mean_class.shape[1:]
    return {
        "width": width,
        "height": height,
        "classes": list(zip(names or class_names(run), _colours(run), strict=True)),
        "background": of.background,
        "passes": len(of.classes) if passes else 0,
        "labelled": of.labels is not None,
        "maps": maps,
        "packed": _pack(planes),
        "image": "" if picture is None else sheet_url(picture[None], 1, PICTURE_SIDE),
        "crisp": picture is not None and max(picture.shape[:2]) < CRISP_BELOW,
        "spoken": spoken.replace("**", ""),
        "controls": controls,
        "disagreement": disagreement,
        "plays": plays,
    }


def _picture_in_words(context: ExampleContext) -> tuple[np.ndarray | None, str]:
    picture = context.run.pictures[context.example] if has(context.run, "images") else None
    return picture, f"Example {context.example} with outlines. It {describe_classes(context.row.to_dict())}."


def _render_maps(
    run: Run, of: SegmentationPredictions, picture: np.ndarray | None, spoken: str, key: str, **options: Any
) -> None:
    _mounted(key=key, data={**describe_maps(run, of, picture, spoken, **options), "turn": next(TURNS)})


def _render_classes(
    names: Sequence[str], of: SegmentationPredictions, figures: Mapping[str, np.ndarray], key: str = ""
) -> None:
    votes, rows = np.count_nonzero(areas(of.classes, of.class_count)[:, 0], axis=0), []
    columns = {"class_dice": "Dice", "class_pairwise_dice": "Dice of two passes"}
    columns = {name: label for name, label in columns.items() if name in figures}
    for number, name in enumerate(all_as_markdown(names)):
        values = [figures[column][number] for column in columns]
        if votes[number] or not np.isnan(values).all():
            dice = (NOWHERE if np.isnan(value) else percent(value) for value in values)
            rows.append((name, *dice, _format_area(figures, number), f"{votes[number]} of {len(of.classes)}"))
    text_table(("class", *columns.values(), "area", "passes that draw it"), rows, key=key)


def _format_area(figures: Mapping[str, np.ndarray], number: int) -> str:
    mean, std = (float(figures[f"class_area_{part}"][number]) for part in ("mean", "std"))
    return f"{percent(mean)} ± {percent(std)}" if mean >= SPECK else percent(mean)


def _find_drawn(run: Run, example: int) -> list[int]:
    area = class_figures(run)["class_area"][example]
    return [number for number in foreground_of(run.manifest) if area[number] > 0]


def _list_bold(names: list[str], numbers: list[int]) -> str:
    return list_names([f"**{names[number]}**" for number in numbers]) if numbers else "**nothing**"


class SegmentationStory(Story):
    """The steps of a segmentation: a sure image, an unsure one, its passes, their map, a blurred image, the review."""

    def steps(self, run: Run, *, live: bool = True) -> list[Callable[[Run], Step]]:
        """Return the steps for a run; those about losses need labels, the blurred image needs images."""
        blurred = [self.blurred] if live and has(run, "images") else []
        reviewed = [self.review] if has(run, "labels") else []
        return [self.sure, self.unsure, self.passes, self.disagreement, *blurred, *reviewed]

    def sure(self, run: Run) -> Step:
        """Return the step on the image that the passes agree on most, of those in which something is drawn."""
        example = self._surest(run)
        return Step(
            "The model gives every pixel a class.",
            self._draw(run, example, "sure"),
            f"The line is around {self._name_drawn(run, example)}. How far it can be trusted, it does not say.",
            (example,),
        )

    def unsure(self, run: Run) -> Step:
        """Return the step on the image that the passes agree on least."""
        example = self._least_sure(run)
        return Step(
            "Here the line looks as sure as before.",
            self._draw(run, example, "unsure"),
            f"The model draws {self._name_drawn(run, example)}.",
            (example,),
        )

    def passes(self, run: Run) -> Step:
        """Return the step that draws the passes over the same image one after the other."""
        example = self._least_sure(run)
        dice = percent(float(table(run)["pairwise_dice"].iloc[example]))
        return Step(
            "Predict it again, and the line moves.",
            self._draw(run, example, "passes", plays=True),
            f"{predicted_again(run)}: two passes agree on a **Dice of {dice}**, on average.",
            (example,),
        )

    def disagreement(self, run: Run) -> Step:
        """Return the step on the map of the passes that differ, over the same image."""
        example = self._least_sure(run)
        return Step(
            "The map shows the pixels that need a look.",
            self._draw(run, example, "map", disagreement=True),
            "Bright pixels are those to which many passes give another class than all passes together.",
            (example,),
        )

    def blurred(self, run: Run) -> Step:
        """Return the step on the sure image, blurred and predicted live."""
        example = self._surest(run)
        settings = DistortionSettings(TOLD_DISTORTION, example, TOLD_AMOUNT, 0, example)
        given = load_images(run, np.array([example]))
        content = IMAGE_DISTORTER.distort(run, settings, given, [TOLD_AMOUNT])[0]
        if not has(run, "model"):
            render = partial(picture, content, f"Example {example}, blurred", EXAMPLE_WIDTH)
            return Step("A blurred image needs the model.", render, missing(run, "model"))
        of = _reduce(run, predict(run, as_batch(content)))
        dice = float(pairwise_dice(of.classes, of.class_count, of.background)[0])
        before = float(table(run)["pairwise_dice"].iloc[example])
        drawn = np.rint(255 * content).astype(np.uint8)

        def draw() -> None:
            spoken = f"Example {example}, blurred, with the passes over it."
            _render_maps(run, of, drawn, spoken, "label-maps-blurred", controls="none", disagreement=True)

        more = f"Two passes agree on a Dice of **{percent(dice)}**; before it was {percent(before)}."
        if dice < before:
            return Step("Blur the sure image, and the passes disagree.", draw, more)
        return Step("Blur the sure image: the passes still agree.", draw, more)

    def review(self, run: Run) -> Step:
        """Return the step on how many of the largest losses are among the images that the passes agree on least."""
        score = run_scores(run)[run.first_score]
        return review_step(run, score.name, "largest loss", f" by {score.inline_label}")

    def _surest(self, run: Run) -> int:
        order = ranking(run, run.first_score)[::-1]
        return int(next((example for example in order if _find_drawn(run, example)), order[0]))

    def _least_sure(self, run: Run) -> int:
        return int(ranking(run, run.first_score)[0])

    def _name_drawn(self, run: Run, example: int) -> str:
        return _list_bold(all_as_markdown(class_names(run)), _find_drawn(run, example))

    def _draw(
        self, run: Run, example: int, key: str, *, disagreement: bool = False, plays: bool = False
    ) -> Callable[[], None]:
        def draw() -> None:
            of = replace(_read(run, example), labels=None)
            shown = run.pictures[example] if has(run, "images") else None
            _render_maps(
                run, of, shown, f"Example {example} with outlines.", f"label-maps-{key}",
                controls="none", disagreement=disagreement, plays=plays,
            )  # fmt: skip

        return draw


def _drawn_areas(run: Run, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([scores[f"area_{number}"] for number in foreground_of(run.manifest)], axis=1)


@dataclass(frozen=True)
class SegmentationPhrases(Phrases):
    """The words of label maps."""

    def describe_disagreement(self, run: Run) -> str:
        agreement = table(run)["pairwise_dice"]
        return (
            f"two passes have a Dice of **{percent(float(agreement.median()))}** at the median image, and of "
            f"{percent(float(agreement.min()))} at least"
        )

    def tile_text(self, run: Run, row: Mapping[Any, Any]) -> TileText:
        """Return the Dice and the drawn classes, wrong ones marked, then the missed classes."""
        if isinstance(row["prediction"], str):
            text = mark_classes(row, len(foreground_of(run.manifest)))
            if np.isnan(row.get("loss", np.nan)):
                return text
            dice = f"Dice {percent(1 - row['loss'], 0)}"
            return replace(text, prediction=f"{dice}, {text.prediction}", brief=dice, whole=f"{dice}; {text.whole}")
        names, foreground = class_names(run), foreground_of(run.manifest)  # of a new input
        drawn = [names[number] for number in foreground if row[f"area_{number}"] > 0]
        return TileText(", ".join(drawn) or "none", brief=f"{len(drawn):,}/{len(foreground):,}")

    def describe_example(self, run: Run, row: Mapping[Any, Any]) -> str:
        return describe_classes(row)

    def describe_prediction(self, run: Run, predictions: np.ndarray) -> str:
        of = _reduce(run, predictions[:, None])
        shares = areas(of.mean_class[None], of.class_count)[0, 0] / of.mean_class[0].size
        names = all_as_markdown(class_names(run))
        drawn = [
            f"**{names[number]}** on {percent(shares[number])}"
            for number in foreground_of(run.manifest)
            if shares[number]
        ]
        agreement = percent(float(pairwise_dice(of.classes, of.class_count, of.background)[0]))
        what = f"{list_names(drawn)} of the image" if drawn else "**nothing**"
        return f"The ensemble draws {what}. Two passes agree on a Dice of {agreement}, on average."

    def describe_worst(self, run: Run, sweep: SweepFindings) -> str:
        agreement = float(sweep.scores["pairwise_dice"][sweep.worst])
        return f"Two passes agree on a Dice of {percent(agreement)}, on average."

    def describe_sweep(self, run: Run, sweep: SweepFindings) -> list[str]:
        """Count the inputs in which something is drawn."""
        some = int((_drawn_areas(run, sweep.scores) > 0).any(axis=1).sum())
        return [f"In {some:,} of {counted(sweep.done, sweep.inputs.kind.removesuffix('s'))} something is drawn."]


class SegmentationRenderer(TaskRenderer):
    """How pages show a segmentation, with the label map of every pass."""

    ood_score = "mean_mutual_information"
    phrases = SegmentationPhrases(
        quality="mean Dice {}",
        beats="The ensemble beats {}.",
        group_column="loss",
        group="mean loss of Dice",
        mistake="largest loss",
        only_mistake="the largest loss",
        least_sure="on which its passes agree least",
        prominent_first="those first on which the passes differ most",
        worst_heading="Where the passes differ the most",
        no_worst="Nowhere: all passes draw the same.",
        worst_clause="the least agreement of passes",
        tile_legend="Orange marks images with a class that is missed, or that the label lacks: ✗.",
    )
    story = SegmentationStory()

    # The whole run

    def render_passes(self, run: Run, state: PageState) -> None:
        """Render how mean Dice changes as passes are added."""
        quality = pass_quality(run)
        assert quality is not None
        in_words = f"{100 * ENOUGH:g} percentage points"
        render_ensemble_sizes(run, state, quality.ensembles, ENOUGH, "mean Dice", in_words)

    def render_calibration(self, run: Run, state: PageState, group: str | None) -> None:
        """Render whether the probabilities of pixels are too high or too low, in all and by predicted class."""
        trust = segmentation_trust(run, group)
        measure = run.task.quality.measures[0]
        st.header("Is a pixel right as often as it says?", anchor=False)
        st.markdown(as_markdown(trust.calibration))
        rows = [
            (as_markdown(name), measure.format_interval(interval, sign="+")) for name, interval in trust.excess.items()
        ]
        text_table(("pixels", "confidence − accuracy"), rows, key="pixels")
        st.caption(
            "The 95% intervals hold for all rows together, and count images, never pixels. "
            f"{as_markdown(group_sentence(run, group))} The expected "
            f"calibration error (ECE) of all pixels is {percent(trust.ece, 2)}."
        )

    def render_trust(self, run: Run, group: str | None) -> None:
        """Render how good the predictions are, and the same of each class."""
        trust = segmentation_trust(run, group)
        heading("How good it is", "In brackets the 95% interval over other images of the same kind.")
        of_quality = [sentence for sentence in trust.sentences if sentence != trust.calibration]  # which is said above
        for sentence in [*of_quality, *_slices(run, group)]:
            st.markdown(f"- {as_markdown(sentence)}")
        (_, *predictors), *rows = zip(*trust.text_rows, strict=True)
        text_table(("measure", *predictors), map(all_as_markdown, rows))
        heading("Each class by itself", "Means over the images where prediction or label has the class.")
        share = run.task.quality.measures[0]
        text_table(
            ("class", "images", "Dice", "IoU", "Dice of two passes"),
            [
                (
                    as_markdown(name),
                    f"{figures.images:,}",
                    *(share.format_interval(each) for each in (figures.dice, figures.iou, figures.pairwise)),
                )
                for name, figures in trust.maps.items()
            ],
        )

    # Lists

    def pictures(self, run: Run, examples: np.ndarray, side: int) -> np.ndarray:
        """Return the images with the outlines of the prediction."""
        return self._outline(run, examples, run.lazy_mean_predictions[examples], side)

    def _outline(self, run: Run, examples: np.ndarray, maps: np.ndarray, side: int) -> np.ndarray:
        background = background_of(label_maps_of(run.manifest))
        return draw_outlines(thumbnails(run.pictures[examples], side), maps, _colours(run), background)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        return picture_tiles(self.pictures(run, examples, side), side) if has(run, "images") else Tiles()

    def table_columns(self, selection: Selection, most: int) -> dict[str, Any]:
        """Return the names of the classes that are given, drawn, and wrong, and the loss."""
        rows = selection.first(most)
        names = ["label", "prediction", "wrong", "loss"] if has(selection.run, "labels") else ["prediction"]
        return {name: rows[name].to_numpy() for name in names}

    # One example

    def draws_examples(self, run: Run) -> bool:
        return has(run, "images")  # the outlines are over them

    def explain(self, context: ExampleContext) -> Explanation:
        """Describe drawn and missed classes and agreement; the outline is in the picture."""
        run, row, names = context.run, context.row, all_as_markdown(class_names(context.run))
        figures = {name: values[context.example] for name, values in class_figures(run).items()}
        drawn = _find_drawn(run, context.example)
        first = f"The prediction draws {_list_bold(names, drawn)}."
        if "class_dice" in figures and not np.isnan(row["loss"]):
            given = [number for number in foreground_of(run.manifest) if figures["class_area_label"][number] > 0]
            first = f"The label has {_list_bold(names, given)}; the prediction draws {_list_bold(names, drawn)}."
            first += f" Its mean Dice is **{percent(1 - row['loss'])}**."
        sentences = [first, f"- Two passes agree on a **Dice of {percent(row['pairwise_dice'])}**, on average."]
        if drawn:
            agreement = np.nan_to_num(figures["class_pairwise_dice"])  # no pass may draw what all together do
            least = min(drawn, key=lambda number: agreement[number])
            sentences.append(
                f"- Of what is drawn they agree least on **{names[least]}**, {percent(agreement[least])}, which takes "
                f"{_format_area(figures, least)} of the image."
            )
        by_some = [number for number in foreground_of(run.manifest) if figures["class_area_mean"][number] > 0]
        if others := [names[number] for number in by_some if number not in drawn]:
            more = [counted(len(others) - NAMED, "other")] if len(others) > NAMED + 1 else others[NAMED:]
            sentences.append(f"- Some passes draw more, if only in a few pixels: {list_names(others[:NAMED] + more)}.")
        return {"sentences": sentences}

    def render_summary(self, context: ExampleContext) -> None:
        """Render drawn and missed classes, and agreement of passes."""
        render_explanation("explanation-sentences", self.explain(context))

    def render_charts(self, context: ExampleContext) -> None:
        """Render the outlines over the image, every pass, the maps of doubt, and a table of the classes."""
        heading(
            "What is drawn, and where passes differ",
            "Every control changes the one picture. Zoom with the buttons, a double click, or Ctrl and the wheel; drag "
            "to move. The slider of passes takes arrow keys.",
        )
        self._render_example(context, "label-maps", "all")

    def render_pinned(self, context: ExampleContext) -> None:
        """Render the outlines in a small picture, and the figures of the classes."""
        self._render_example(context, f"label-maps-{context.example}", "few")

    def _render_example(self, context: ExampleContext, key: str, controls: Controls) -> None:
        run, example = context.run, context.example
        of = _read(run, example)
        _render_maps(run, of, *_picture_in_words(context), key, controls=controls, disagreement=controls == "all")
        figures = {name: values[example] for name, values in class_figures(run).items()}
        _render_classes(class_names(run), of, figures, f"classes-{example}")

    def maps(self, context: ExampleContext) -> dict[str, Any]:
        of = _read(context.run, context.example)
        return describe_maps(context.run, of, *_picture_in_words(context), passes=False)

    # New inputs

    def render_probe(self, run: Run, chosen: ProbeInput, predictions: np.ndarray, key: str) -> None:
        """Render the outlines over a new input, every pass, the maps of doubt, and a table of the classes."""
        heading("What is drawn, and where passes differ", "The outlines of the prediction and of every pass.")
        of = _reduce(run, predictions[:, None])
        spoken = f"Outlines. {self.phrases.describe_prediction(run, predictions)}"
        picture = np.rint(255 * chosen.content).astype(np.uint8)
        _render_maps(run, of, picture, spoken, f"label-maps-{key}", disagreement=True)
        figures = run.task.aggregate(run.manifest, of, None).arrays
        _render_classes(class_names(run), of, {name: rows[0] for name, rows in figures.items()})

    def render_curves(self, run: Run, along: SliderSeries, predictions: np.ndarray) -> None:
        """Render how much of the image each class takes along the slider."""
        st.caption("How much of the image each class takes at each position, with one standard deviation of passes.")
        of = _reduce(run, predictions)
        shares = areas(of.classes, of.class_count) / of.mean_class[0].size
        drawn, names = foreground_of(run.manifest), class_names(run)
        figure = curves_along(
            along.amounts,
            class_curves(shares[..., drawn], [names[number] for number in drawn]),
            title=along.title,
            tick_format=along.tick_format,
            current=along.current,
            value_title="share of the image",
            number=".1%",
        )
        chart(figure, "along-the-slider", f"What is drawn along the slider {one_line(along.title)}.")

    def choose_evidence(self, run: Run, state: PageState, predictions: np.ndarray) -> Evidence:
        raise NotImplementedError  # since no explanation is offered

    def compute_scores(self, run: Run, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the share of the image that each class takes, `area_0` and so on, and the scores."""
        of = _reduce(run, predictions)
        shares = areas(of.mean_class[None], of.class_count)[0] / of.mean_class[0].size
        return {**{f"area_{c}": share for c, share in enumerate(shares.T)}, **SEGMENTATION_SCORES.compute(of)}

    def prominence(self, scores: Mapping[str, np.ndarray], correct: np.ndarray) -> np.ndarray:
        """Return the disagreement of passes, up to 1."""
        return 1 - scores["pairwise_dice"]

    def sweep_figure(self, run: Run, state: PageState, sweep: SweepFindings) -> go.Figure:
        """Return in how many inputs each class is drawn."""
        names = class_names(run)
        drawn = np.nonzero(_drawn_areas(run, sweep.scores) > 0)[1]
        return class_counts(drawn, [names[number] for number in foreground_of(run.manifest)])

    # Two runs, and files to take away

    def pictures_of_both(self, comparison: Comparison, examples: np.ndarray, side: int) -> np.ndarray | None:
        """Return the images with the outlines of each run, side by side."""
        run, other = comparison.one, comparison.other
        if not has(run, "images"):
            return None
        numbers = comparison.pairs.other[np.searchsorted(comparison.pairs.one, examples)]
        there = run.task.reorder_predictions(other.lazy_mean_predictions[numbers], class_order(run, other))
        both = run.lazy_mean_predictions[examples], there
        return np.concatenate([self._outline(run, examples, maps, side) for maps in both], axis=2)

    def render_example_of_both(self, context: ExampleContext, comparison: Comparison) -> None:
        """Render the outlines of each run over the image, with the label that both are measured by, and its classes."""
        run, other, place = comparison.one, comparison.other, comparison.pairs.find(context.example)
        assert place is not None  # the page shows examples that both have
        background, order = background_of(label_maps_of(run.manifest)), class_order(run, other)
        label = None if comparison.pairs.labels is None else comparison.pairs.labels[[place]]
        picture = run.pictures[context.example] if has(run, "images") else None
        numbers = context.example, int(comparison.pairs.other[place])
        names, columns = name_apart(run, other), st.columns(2, gap="medium")
        classes_of_both = paired_class_names(run, other)
        for key, of_run, example, name, column in zip(
            ("one", "other"), (run, other), numbers, names, columns, strict=True
        ):
            of: SegmentationPredictions = of_run.predictions_block(example, example + 1)
            classes, mean_class = of.classes, of.mean_class
            if key == "other":
                classes, mean_class = (run.task.reorder_predictions(maps, order) for maps in (classes, mean_class))
            of = replace(
                of, classes=np.ascontiguousarray(classes), mean_class=mean_class, labels=label, background=background
            )
            figures = {figure: rows[0] for figure, rows in run.task.aggregate(of_run.manifest, of, None).arrays.items()}
            agreement = percent(float(pairwise_dice(of.classes, of.class_count, background)[0]))
            words = f"two passes agree on a Dice of {agreement}, on average."
            if label is not None:
                overlaps = count_overlaps(mean_class, label, of.class_count, background)
                figures = {"class_dice": overlaps.dice[0], **figures}
                if overlaps.pixels[0]:
                    words = f"mean Dice **{percent(float(overlaps.mean_dice[0]))}** with the label; {words}"
            with column:
                st.markdown(f"**{as_markdown(name)}**: {words}")
                spoken = f"Example {context.example} with outlines of {name}: {words}"
                _render_maps(run, of, picture, spoken, f"label-maps-of-{key}", controls="few", names=classes_of_both)
                _render_classes(classes_of_both, of, figures)
