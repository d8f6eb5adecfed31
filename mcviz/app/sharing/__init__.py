"""A run in one file that a browser opens, from a disk, a mail or a static host, without Python and without a network.

The page has the dashboard's own scripts and styles. Words, predictions and figures are written here; the script ranks,
filters and shows.
"""

import os
import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson

from mcviz import validate
from mcviz.app.components import load_assets
from mcviz.app.resources import class_names, has, own_columns, run_scores
from mcviz.app.selection import mistakes, ranked_examples
from mcviz.app.server import STREAMLIT_OPTIONS, outside_of_pages
from mcviz.app.sharing.contents import MOST_COLUMNS, Choice, describe_examples, describe_map, kept_scores
from mcviz.app.sharing.summary import overview, present, story_steps, trust
from mcviz.app.sharing.withheld import PARTS, Part, WithheldRun
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import Step
from mcviz.app.views.rail import ranking_labels
from mcviz.app.wording import counted
from mcviz.errors import InvalidInputError
from mcviz.figures.report import POLICY
from mcviz.runs import Run
from mcviz.runs.tables import Progress
from mcviz.runs.verify import replaced_file
from mcviz.text import as_html, one_line

HERE = Path(__file__).parent
MEGABYTES = 10.0  # of a page, at most, unless another limit is given
SMALL_SIDE = 64  # pixels of the pictures of a page that would be too large
SAMPLE = 200  # examples, by which the size of a page of more is estimated
ROOM = 0.97  # of the limit, for which a page is planned
DECIDE = (
    '<form id="decide"><h2>Decide</h2><div id="answers" role="group" aria-label="Decide"></div>'
    '<label id="another">Another class<select id="class"></select></label>'
    '<label>Note<textarea id="note" rows="2" maxlength="2000"></textarea></label>'
    '<label>Your name<input id="reviewer" maxlength="100" autocomplete="name"></label>'
    '<button type="submit" id="save"></button> <span class="quiet" id="kept" role="status"></span></form>'
)
COMPONENTS = {
    "gallery": ("tile.css acts.css gallery.css", "listening element tile act_buttons latest_data gallery"),
    "look": (
        "tile.css acts.css text_box.css sentences.css strips.css look.css",
        "listening element tile act_buttons text sentences histograms strips latest_data look",
    ),
    "brush": ("brush.css", "element latest_data brush"),
    "passes": ("strips.css", "element histograms strips ../sharing/passes"),
    "maps": ("label_maps.css", "element latest_data label_maps"),
}


def share(
    run: Run,
    to: str | os.PathLike[str],
    *,
    score: str | None = None,
    examples: Collection[int] | None = None,
    without: Collection[Part] = (),
    link: str = "",
    max_size: float = MEGABYTES,
    present: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a run as one web page, which opens without Python and asks nothing of any network.

    Args:
        run: of any task and kind.
        to: the file, such as `page.html`; it is replaced if it is there.
        score: by which the page ranks at first; that of the run without it.
        examples: numbers of the examples on the page, as far as they fit; None for all.
        without: parts of the run that the page does not have: "images", which are the examples of whatever kind,
            "labels", "columns" and "ids". The page says so, and shows what is shown of a run that lacks them.
        link: the address of a dashboard that shows the run; none without it.
        max_size: in megabytes. A page that would be larger has fewer scores, then smaller pictures, then fewer
            examples: all mistakes, and the most uncertain ones.
        present: whether the page also has the steps of Present, as slides.
        progress: called with (done, total) examples; an exception from it stops the work, and no file is left.

    Raises:
        InvalidInputError: no such score, part or example, or not even a page of one example fits.
        StorageError: the file cannot be written.
    """
    for part in without:
        validate.choice("without", part, PARTS)
    run = WithheldRun(run, without) if without else run
    score = validate.choice("score", score or run.first_score, list(run_scores(run)))
    chosen = np.arange(len(run)) if examples is None else _check_examples(run, examples)
    with outside_of_pages():
        state = PageState(score=score)
        page = fit_page(run, state, chosen, link=link, max_size=max_size, present=present, progress=progress)
    with replaced_file(Path(to)) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _check_examples(run: Run, examples: Collection[int]) -> np.ndarray:
    numbers = np.unique(np.asarray(list(examples), dtype=np.int64))
    if not len(numbers) or numbers[0] < 0 or numbers[-1] >= len(run):
        raise InvalidInputError(
            f"examples should be numbers from 0 to {len(run) - 1}, at least one. Received: {list(examples)!s:.80}."
        )
    return numbers


def fit_page(
    run: Run,
    state: PageState,
    examples: np.ndarray,
    *,
    link: str = "",
    max_size: float = MEGABYTES,
    present: bool = False,
    progress: Progress | None = None,
) -> str:
    """Write the page of a run, no larger than a limit.

    Args:
        run: of any task and kind.
        state: with which the page opens.
        examples: (n,) int64 numbers of the examples on the page, ascending, as far as they fit.
        link: the address of a dashboard that shows the run; none without it.
        max_size: in megabytes.
        present: whether the page also has the steps of Present, as slides.
        progress: called with (done, total) examples.

    Raises:
        InvalidInputError: not even a page of one example fits.
    """
    most, report = max_size * 1e6, progress or (lambda *_: None)
    summary = Summary(run, state, link, story_steps(run) if present else [])
    names, fewer = kept_scores(run, state)
    whole = Choice(run, state, examples, tuple(names))
    for choice in (whole, replace(whole, scores=tuple(fewer)), replace(whole, scores=tuple(fewer), side=SMALL_SIDE)):
        count = summary.count_fitting(choice, most)
        if count == len(examples):
            break
    while count:
        kept = _keep_first(choice, count, summary.told)
        # More is said of those that are kept than of others, so fewer may fit; a page of many takes long to write.
        fitting = summary.count_fitting(kept, most) if 2 * SAMPLE < count < len(examples) else count
        if fitting < ROOM * count:
            count = fitting
            continue
        page = summary.write(kept, report)
        size = len(page.encode())
        if size <= most:
            return page
        count = min(count - 1, int(count * ROOM * most / size))
    raise InvalidInputError(f"Not even a page of one example has {max_size:g} megabytes. Allow more.")


def _keep_first(choice: Choice, count: int, told: Sequence[int]) -> Choice:
    """Keep some examples: slides, mistakes, then the most uncertain."""
    run, wrong = choice.run, mistakes(choice.run)
    ranked = ranked_examples(run, choice.state.score, "uncertain_first")
    ranked = ranked[np.isin(ranked, choice.examples)]
    behind = np.full(len(ranked), 2) - (0 if wrong is None else wrong[ranked])
    behind[np.isin(ranked, told)] = 0
    ranked = ranked[np.argsort(behind, kind="stable")]
    return replace(choice, examples=np.sort(ranked[:count]))


class Summary:
    """The parts of a page that are the same however many examples it has; `told` are the examples of its slides."""

    def __init__(self, run: Run, state: PageState, link: str, steps: Sequence[Step]) -> None:
        self._run, self._state, self._link = run, state, link
        self._sections = {"overview": overview(run), "explore": _explore(run), "trust": trust(run, state)}
        self.told = [step.examples[0] for step in steps if len(step.examples) == 1]
        if steps:
            self._sections["present"] = present(run, steps)

    def count_fitting(self, choice: Choice, most: float) -> int:
        """Estimate how many of the examples fit, by pages of a few of them."""
        total = len(choice.examples)
        sizes = [min(total, SAMPLE // 2), min(total, SAMPLE)]
        few, some = (
            len(self.write(replace(choice, examples=choice.examples[:: -(-total // size)]), lambda *_: None))
            for size in sizes
        )
        counts = [len(choice.examples[:: -(-total // size)]) for size in sizes]
        if counts[0] == counts[1]:
            return total if some <= most else max(1, int(total * ROOM * most / some))
        each = (some - few) / (counts[1] - counts[0])
        return int(np.clip((ROOM * most - some) / max(each, 1) + counts[1], 1, total))

    def write(self, choice: Choice, progress: Progress) -> str:
        """Write the page with some of the examples."""
        run, state = self._run, self._state
        data = {
            "count": len(run),
            "size": "" if task_renderer(run).phrases.marks_mistakes else "large",
            "class_names": class_names(run),
            "first_score": state.score,
            "rankings": [
                (name, order, label) for (name, order), label in ranking_labels(run).items() if name in choice.scores
            ],
            "start": _start(state),
            **describe_examples(choice, progress),
        }
        title = f"{one_line(run.name)} · mcviz"
        return "\n".join(
            [
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
                f"<title>{escape(title)}</title><style>{_style()}</style></head><body>",
                _bar(run, list(self._sections), self._link),
                "<main>",
                *(f'<section id="{name}">{content}</section>' for name, content in self._sections.items()),
                f"</main><footer>{_footer(choice)}</footer>",
                f'<script type="application/json" id="data">{_as_script(data)}</script>',
                f"<script>{_components()}</script><script>{_load('page.js')}</script></body></html>",
            ]
        )


def _start(state: PageState) -> str:
    """The query that the page opens with: the parts of a state that it knows."""
    filters = state.filters.without("lasso", "selected")
    return urlencode(PageState(score=state.score, order=state.order, filters=filters).to_query())


def _load(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _as_script(data: Any) -> str:
    """Write JSON that closes no script element."""
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode().replace("<", "\\u003c")


def _components() -> str:
    made = []
    for name, (styles, scripts) in COMPONENTS.items():
        parts = [
            load_assets("acts.js"),
            _load("standalone.js"),
            load_assets(*(f"{script}.js" for script in scripts.split())),
        ]
        script = "\n".join(parts).replace("export default", "return")
        style = orjson.dumps(load_assets(*styles.split())).decode()
        made.append(f"{name}: {{ style: {style}, render: (() => {{\n{script}\n}})() }},")
    return "const COMPONENTS = {\n" + "\n".join(made) + "\n};"


def _style() -> str:
    theme = tomllib.loads(STREAMLIT_OPTIONS.read_text(encoding="utf-8"))["theme"]
    names = {"primaryColor", "backgroundColor", "secondaryBackgroundColor", "textColor", "borderColor"}
    colours = "".join(
        f"--st-{re.sub('([A-Z])', lambda found: '-' + found[1].lower(), name)}: "
        f"light-dark({theme['light'][name]}, {theme['dark'][name]});"
        for name in sorted(names)
    )
    return f":root {{ {colours} --st-base-radius: {theme['baseRadius']}; }}\n{_load('page.css')}"


def _bar(run: Run, pages: Sequence[str], link: str) -> str:
    links = "".join(f'<a href="#/{page}">{page.capitalize()}</a>' for page in pages)
    to_dashboard = f'<a class="dashboard" href="{escape(link)}">Open in the dashboard</a>' if link else ""
    return (
        f'<header><span class="mark">mcviz</span><nav aria-label="Pages">{links}</nav>'
        f'<b class="run">{as_html(run.name)}</b>{to_dashboard}</header>'
        "<p class=note>Without JavaScript this page shows its figures, and no examples.</p>"
    )


def _footer(choice: Choice) -> str:
    run, left_out = choice.run, []
    whole = run.whole if isinstance(run, WithheldRun) else run
    if isinstance(run, WithheldRun):
        left_out.append(f"Left out: {', '.join(sorted(run.without))}.")
    if len(choice.examples) < len(run):
        left_out.append(
            f"This file has {counted(len(choice.examples), 'example')} of {len(run):,}; the figures and the grey "
            "histograms are of all."
        )
    if len(choice.scores) < len(run_scores(run)):
        left_out.append(f"It has {len(choice.scores)} of {counted(len(run_scores(run)), 'score')}.")
    passes, examples = counted(run.passes, "pass"), counted(len(run), "example")
    made = f"{passes} over {examples}, {run.manifest.sampling_summary}. Run {whole.digest[:12]}."
    return "".join(f"<p>{escape(words)}</p>" for words in [*left_out, made])


def _explore(run: Run) -> str:
    offered = [("Label", "label"), ("Prediction", "prediction"), ("Wrong or missed", "wrong")]
    of_classes = has(run, "class filters")
    shown = [
        (title, name)
        for title, name in offered
        if of_classes and (name == "prediction" or has(run, "labels")) and (name != "wrong" or has(run, "class sets"))
    ]
    choices = "".join(f'<label>{title}<select id="{name}"></select></label>' for title, name in shown)
    right = [("", "All"), ("correct", "Correct"), ("wrong", "Wrong")]
    correct = (
        '<div id="correct" role="group" aria-label="Predictions">'
        + "".join(f'<button type="button" data-value="{value}">{word} <span></span></button>' for value, word in right)
        + "</div>"
        if has(run, "labels") and has(run, "classes")
        else ""
    )
    disagree = (
        '<label class="check"><input type="checkbox" id="disagree">Passes disagree</label>'
        if has(run, "classes")
        else ""
    )
    columns = min(len(own_columns(run)), MOST_COLUMNS)
    own = (
        f"<details{'' if columns else ' hidden'}><summary>Filter by {counted(columns, 'column')}</summary>"
        '<div id="columns"></div></details>'
    )
    mapped = describe_map(run)
    views = (
        '<button type="button" value="">Gallery</button><button type="button" value="map">Map</button>'
        if mapped
        else ""
    )
    legend = task_renderer(run).phrases.tile_legend if has(run, "labels") else ""
    return (
        '<h1>Explore</h1><div class="explore"><details class="rail"><summary>Filters</summary>'
        '<label>Rank by<select id="rank"></select></label><p class="quiet" id="meaning"></p><div id="brush"></div>'
        f"{correct}{choices}{disagree}"
        '<label>Find<input id="find" type="search"></label><p class="quiet" id="found" role="status"></p>'
        f'{own}<button type="button" id="reset">Reset filters</button></details>'
        f'<div class="list"><div id="views" role="group" aria-label="View">{views}</div>'
        f'<p><b id="matching" role="status"></b> <span class="quiet">{escape(legend)}</span></p>'
        '<p id="none" hidden>No example matches all of these filters. Take one off.</p><div id="gallery"></div>'
        '<div id="plane"><canvas role="img" aria-label="Map of the examples"></canvas>'
        f'<p class="quiet">{mapped}</p></div>'
        '<div id="pages"><button type="button" id="before">Previous</button><span id="page"></span>'
        '<button type="button" id="after">Next</button></div></div>'
        '<aside class="st-key-look" aria-label="Example"><div id="look"></div><div id="maps"></div>'
        f'<table id="row"></table>{DECIDE if run.task.decides else ""}</aside></div>'
    )
