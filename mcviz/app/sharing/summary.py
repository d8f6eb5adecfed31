"""Overview and Trust of a shared page as HTML: words, figures and charts, which a browser shows without a script."""

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import urlencode

import numpy as np

from mcviz.analysis.base import LEAST_LABELLED, find_groups, group_sentence, labelled_sentence
from mcviz.analysis.quality_trust import measure_quality
from mcviz.analysis.segmentation_trust import measure_segmentation
from mcviz.app.calibration import UNKNOWN, chosen_group, describe_calibration, main_calibration
from mcviz.app.referral import describe_guarantee, find_referral, referral_cards, referral_filters
from mcviz.app.resources import has, ranking, run_scores, table
from mcviz.app.sharing.contents import webp_url
from mcviz.app.sharing.withheld import WithheldRun
from mcviz.app.state import UNCERTAIN_FIRST, PageState
from mcviz.app.sweep import find_sweep, noise_inputs, noise_kind, summarize
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import PassQuality, Step, cached_gain, pass_quality, quality_cards
from mcviz.app.wording import WORD_JOINER, as_markdown, capitalised, counted, direction
from mcviz.figures import thumbnails
from mcviz.figures.style import DETERMINISTIC, ENSEMBLE
from mcviz.figures.svg import reliability_chart, value_histogram
from mcviz.measures.calibration import calibration_table, reliability_near_one
from mcviz.runs import Run, labelled_examples
from mcviz.text import as_html

MOST_UNCERTAIN, FIRST_REFERRED, TOLD = 16, 12, 48  # tiles
NOISE_SIDE = 96  # pixels
TOKENS = re.compile(r"\\(.)|(\*\*)|(`)|[^\\*`]+|.", re.DOTALL)


def sentence(markdown: str) -> str:
    """Write a sentence in Markdown, whose bold words and code are all that it has of it, as HTML."""
    parts: list[str] = []
    opened: set[str] = set()
    for token in TOKENS.finditer(markdown.replace(WORD_JOINER, "")):
        tag = "b" if token[2] else "code" if token[3] else ""
        parts.append(f"<{'/' if tag in opened else ''}{tag}>" if tag else escape(token[1] or token[0]))
        opened ^= {tag} if tag else set()
    return "".join(parts)


def paragraphs(sentences: Iterable[str]) -> str:
    """Write sentences in Markdown, a paragraph each."""
    return "".join(f"<p>{sentence(words)}</p>" for words in sentences)


def overview(run: Run) -> str:
    """Write Overview: quality, uncertain examples, and noise."""
    score, renderer = run_scores(run)[run.first_score], task_renderer(run)
    legend = f" {renderer.phrases.tile_legend}" if has(run, "labels") else ""
    first = ranking(run, score.name)[:MOST_UNCERTAIN].tolist()
    tiles = _tiles(first, score.name, "dense" if has(run, "images") and renderer.phrases.marks_mistakes else "large")
    return (
        f'<h1>Overview</h1><p class="answer">{sentence(renderer.phrases.describe_run(run))}</p><div class="two">'
        f'<div><h2>What it is most uncertain about</h2><p class="quiet">{escape(score.label)}, '
        f"{direction(score, UNCERTAIN_FIRST)} first.{escape(legend)}</p>{tiles}{_noise(run)}</div><div>"
        f"{_quality(run) if has(run, 'labels') else _distribution(run)}</div></div>"
    )


def _quality(run: Run) -> str:
    quality = pass_quality(run)
    assert quality is not None
    gain, name = cached_gain(run)[1], escape(capitalised(run.task.sealed_quality_name))
    return (
        f"<h2>Each pass, and all of them together</h2><p class=quiet>{name}. "
        f"{sentence(task_renderer(run).phrases.describe_beaten(quality))}</p>{cards(quality_cards(run, quality))}"
        f"{paragraphs([as_markdown(gain)] if gain else [])}{_draw_passes(run, quality)}"
    )


def _draw_passes(run: Run, quality: PassQuality) -> str:
    lines = {"ensemble": (float(quality.ensembles[-1]), ENSEMBLE)}
    if quality.deterministic is not None:
        lines["deterministic"] = float(quality.deterministic), DETERMINISTIC
    name, unit = run.task.sealed_quality_name, run.manifest.unit
    return value_histogram(
        quality.passes,
        lines,
        f"{name}, {unit}" if unit else name,
        "single passes",
        lambda value: run.task.format_quality(value, ""),
    )


def _distribution(run: Run) -> str:
    score = run_scores(run)[run.first_score]
    values = table(run)[score.name].to_numpy()
    drawn = value_histogram(values[np.isfinite(values)], {}, score.label, "examples", score.format)
    return f"<h2>How uncertain it is</h2>{drawn}"


def _noise(run: Run) -> str:
    run = run.whole if isinstance(run, WithheldRun) else run
    if noise_kind(run) is None:
        return ""
    inputs = noise_inputs(run, PageState())
    sweep = find_sweep(run, inputs)
    if sweep is None or not sweep.done:
        return ""
    picture = ""
    if run.kind.content.of_images:
        content = np.round(255 * inputs.load(0, 1)).astype(np.uint8)[..., : 1 if run.image_shape[-1] < 3 else 3]
        url = webp_url(thumbnails(content, NOISE_SIDE)[0], lossless=True)
        picture = f'<img class="noise" alt="One of the {escape(inputs.kind)}" src="{url}">'
    words = paragraphs([as_markdown(summarize(run, sweep))])
    return f'<h2>What it makes of noise</h2><div class="beside">{picture}{words}</div>'


def trust(run: Run, state: PageState) -> str:
    """Write Trust: whether the probabilities are honest, and which examples a person should look at."""
    answer, diagram, table = _verdict(run, state)
    return (
        f'<h1>Trust</h1><p class="answer">{answer}</p><div class="two"><div>{diagram}</div>'
        f"<div>{_referral(run, state)}</div></div>{table}"
    )


def _verdict(run: Run, state: PageState) -> tuple[str, str, str]:
    if not has(run, "labels"):
        return f"{UNKNOWN}.", "", ""
    if run.manifest.labelled < LEAST_LABELLED:
        return "Too few examples to tell: there is one.", "", ""
    group = chosen_group(run, state)
    if not has(run, "classes"):
        measured = (measure_segmentation if run.task.of_pixels else measure_quality)(run, group=group)
        first, *others = map(as_markdown, filter(None, [*measured.sentences, labelled_sentence(run)]))
        figures = f"<h2>How good it is</h2>{paragraphs(others)}{rows(measured.text_rows)}"
        return sentence(first), figures, ""
    found = main_calibration(run, group)
    near_one = reliability_near_one(
        {name: found.predictors[name] for name in ("deterministic", "ensemble") if name in found.predictors},
        groups=find_groups(labelled_examples(run), group),
    )
    table_of = calibration_table(found)
    lines = [["measure", *next(iter(table_of.values()))], *([name, *row.values()] for name, row in table_of.items())]
    diagram = (
        "<h2>Is the model right as often as it says?</h2><p class=quiet>Above 0, it is right more often than it says. "
        f"With 95% intervals. {sentence(as_markdown(group_sentence(run, group)))}</p>{reliability_chart(near_one)}"
    )
    return sentence(describe_calibration(run, state)), diagram, f"<h2>The figures</h2>{rows(lines)}"


def _referral(run: Run, state: PageState) -> str:
    if not (has(run, "labels") and has(run, "bounded loss") and run.manifest.labelled >= LEAST_LABELLED):
        return ""
    referral = find_referral(run, state)
    assert referral.on_labels is not None
    query = urlencode(PageState(score=referral.score.name, filters=referral_filters(referral)).to_query())
    first, score = referral.examples[:FIRST_REFERRED].tolist(), referral.score.name
    link, many = f'<a data-query="{escape(query)}">Show them</a>', counted(len(referral.examples), "example")
    return (
        f"<h2>Who looks at what?</h2>{cards(card[1:] for card in referral_cards(referral, referral.on_labels))}"
        f"{paragraphs([describe_guarantee(referral)])}<p><b>{many} to look at</b>, "
        f"by {escape(referral.score.inline_label)}. {link}</p>{_tiles(first, score, 'dense')}"
    )


def story_steps(run: Run) -> list[Step]:
    """Return the steps of Present, but for those that a model predicts live; none of a task without a story."""
    story = task_renderer(run).story
    return [step(run) for step in story.steps(run, live=False)] if story else []


def present(run: Run, steps: Sequence[Step]) -> str:
    """Write steps as slides, noise last."""
    slides = [f"<h2>{sentence(step.headline)}</h2>{paragraphs([step.more])}{_seen(run, step)}" for step in steps]
    written = "".join(f'<div class="slide">{slide}</div>' for slide in [*slides, _noise(run)] if slide)
    buttons = '<button type="button" id="back">Back</button><button type="button" id="next">Next</button>'
    return f'<h1>Present</h1>{written}<p id="steps"><span id="step" role="status"></span>{buttons}</p>'


def _seen(run: Run, step: Step) -> str:
    if step.of_passes and (quality := pass_quality(run)):
        return _draw_passes(run, quality)
    if len(step.examples) != 1:
        return _tiles(step.examples[:TOLD], run.first_score, "dense" if has(run, "images") else "large")
    tile = "" if run.task.of_pixels else _tiles(step.examples, run.first_score, "large")
    return f'<div class="told">{tile}<div data-passes="{step.examples[0]}"></div></div>'


def cards(figures: Iterable[Sequence[str]]) -> str:
    """Write figures side by side: name, value and a few words each."""
    written = (
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd><dd class=quiet>{escape(meaning)}</dd></div>"
        for label, value, meaning in figures
    )
    return f'<dl class="cards">{"".join(written)}</dl>'


def rows(lines: Sequence[Sequence[str]]) -> str:
    """Write a table with a measure a row and a way to predict a column, of lines with a way to predict each."""
    head, *body = zip(*lines, strict=True)
    titles = "".join(f"<th>{as_html(cell)}</th>" for cell in head)
    written = "".join(
        f"<tr><th>{as_html(name)}</th>{''.join(f'<td>{as_html(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in body
    )
    return f'<div class="wide" tabindex="0"><table><tr>{titles}</tr>{written}</table></div>'


def _tiles(examples: Sequence[int], score: str, size: str) -> str:
    return f'<div data-tiles="{json.dumps(list(examples))}" data-score="{escape(score)}" data-size="{size}"></div>'
