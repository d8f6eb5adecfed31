"""Sentences for people: the numbers of a run, in words."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from msgspec.structs import replace

from mcviz.kinds import kind_of
from mcviz.measures import PassSummary, Score
from mcviz.runs import Layer, Manifest, Preprocessing
from mcviz.text import one_line, percent

MASKS = {
    "per_pass": "`per_pass`: all examples of a pass share one draw of dropout masks, so a pass is one network.",
    "per_example": "`per_example`: every example of a pass has its own draw of dropout masks, so a pass is not one "
    "network. Single passes then differ less in quality than members of an ensemble would.",
}
MOST_LISTED = 4  # numbers of a mean
MOST_FIRST = 200  # examples, among which mistakes are counted; of few examples a fifth
MOST_VOTED = 3  # classes of the votes that are named; the rest is counted
RIVAL = 0.5  # of the likeliest class's mean probability, from which on a class is one that the ensemble is torn by
CONFIDENT = 0.95  # a mean probability above which, with as many votes, there is no uncertainty to explain
MARKUP = re.compile(r"[\\`*_\[\]<>&$~|]|:(?=\S)")
BEGINNING = re.compile(r"^(\d+(?=[.)])|(?=[-+=#]))")  # of a list, a heading or a line below one
# Streamlit looks for icons, arrows and addresses in the text that Markdown leaves, where no escape is seen any more.
FOUND_IN_TEXT = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
MOST_NAMES = 12  # of classes, targets or layers
BEGINNING_OF_DIGEST = 12  # characters
WORD_JOINER = "\u2060"  # without width, and with no line break


def as_markdown(text: str) -> str:
    """A text that others wrote, such as the name of a class, as Markdown that shows it as it was typed.

    Streamlit takes much for Markdown: captions, headings, messages, tooltips, the labels of buttons and of
    `segmented_control`, and the cells of `st.table`.
    """
    return BEGINNING.sub(r"\1\\", as_inline_markdown(text))


def as_inline_markdown(text: str) -> str:
    """Return a text that others wrote as Markdown that does not begin a line, such as a cell of a table."""
    return MARKUP.sub(r"\\\g<0>", FOUND_IN_TEXT.sub(WORD_JOINER, one_line(text)))


def all_as_markdown(texts: Sequence[str]) -> list[str]:
    """Each of some texts as Markdown."""
    return [as_markdown(text) for text in texts]


def information(manifest: Manifest, stretched: bool) -> str:
    """How a run was made and how its examples are prepared and shown, in Markdown: a paragraph each.

    Args:
        manifest: of the run.
        stretched: whether the range of the images was only taken from the images.
    """
    origin, paragraphs = manifest.origin, []
    if origin.kind == "imported":
        source = f" from {as_markdown(origin.source)}" if origin.source else ""
        paragraphs.append(f"**Passes**: imported{source}.")
    if manifest.masks is not None:
        paragraphs.append(MASKS[manifest.masks])
    done, steps, kind = manifest.preprocessing, _steps(manifest.preprocessing), manifest.examples.kind
    if steps or (
        done.reason and kind_of(manifest).content.is_told
    ):  # of examples that were imported it is often not known
        how, reason = " and ".join(steps) or "taken as they are", as_markdown(done.reason)
        when = f", before the {kind}s were stored" if steps and done.applied else ""
        because = f", by {reason.removeprefix('By ')}" if reason.startswith("By ") else f". {reason}".rstrip()
        paragraphs.append(f"**Preprocessing**: {how}{when}{because}")
    if manifest.images is not None and stretched:
        paragraphs.append(
            "**Colours**: what stands for black and white is not known, so the pictures are stretched from the "
            f"lowest value, {manifest.images.lowest:.4g}, to the highest, {manifest.images.highest:.4g}."
        )
    return "\n\n".join(paragraphs)


def describe_examples(manifest: Manifest) -> str:
    """The number and kind of the examples, such as "10,000 images"."""
    plural = kind_of(manifest).plural or "examples"
    return f"{manifest.examples.count:,} {plural if manifest.examples.count != 1 else plural.removesuffix('s')}"


def _describe_labels(manifest: Manifest) -> str:
    if manifest.labels_sha256 is None:
        return "none"
    if manifest.examples_with_labels is None:
        return "one for each example"
    return f"of {manifest.labelled:,} of {manifest.examples.count:,} examples"


def time_made(manifest: Manifest) -> datetime | None:
    """The UTC time of finish, or else start, or None."""
    return manifest.time("finished") or manifest.time("started")


def describe_manifest(manifest: Manifest) -> dict[str, str]:
    """The facts of a manifest by their titles, each text on one line."""
    model, origin, time = manifest.model, manifest.origin, time_made(manifest)
    facts = {
        "Predicts": _describe_outputs(manifest),
        "Examples": _describe_content(manifest),
        "Labels": _describe_labels(manifest),
        "Passes": _describe_passes(manifest),
        "Random layers": _join([f"{layer.name} ({_describe_layer(layer)})" for layer in origin.stochastic_layers]),
        "Layers that stayed off": _join(origin.inactive_layers),
        "Model": "not known" if model is None else f"{model.name}, {'kept' if model.stored else 'not kept'} in the run",
        "Built by": model.function if model else "",
        "Transform": model.transform if model else "",
        "Output": model.output or "" if model else "",
        "Targets": manifest.target_scaler.summary if manifest.target_scaler else "",
        "Preprocessing": f"{manifest.preprocessing}. {manifest.preprocessing.reason}".strip(". ") + ".",
        "Also kept": _list_kept(manifest),
        **{f"About: {key}": str(value) for key, value in manifest.about.items()},
        "Made": "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "By": ", ".join(f"{name} {version}" for name, version in manifest.created.get("versions", {}).items()),
        "Digest of the run": f"{manifest.digest[:BEGINNING_OF_DIGEST]}…",
        "Digest of its examples": f"{manifest.examples.sha256[:BEGINNING_OF_DIGEST]}…",
    }
    return {one_line(title): one_line(text) for title, text in facts.items() if text}


def _describe_outputs(manifest: Manifest) -> str:
    names = _join(manifest.class_names or manifest.targets)
    what = f"{counted(manifest.classes, 'class')}: {names}" if manifest.classes else f"the values of {names}"
    return f"{what}, in {manifest.unit}" if manifest.unit else what


def _describe_content(manifest: Manifest) -> str:
    description, images = describe_examples(manifest), manifest.images
    if images is not None:
        height, width, channels = images.shape
        description += f" of {height} × {width} pixels, {counted(channels, 'channel')}"
        return description if images.stored else f"{description}, which are not kept in the run"
    return (
        f"{description}, in the columns {_join(manifest.examples.content)}"
        if manifest.examples.content
        else description
    )


def _describe_passes(manifest: Manifest) -> str:
    if manifest.origin.kind == "imported":
        source = manifest.origin.source
        return f"{manifest.passes:,}, imported{f' from {source}' if source else ''}"
    settings = " and ".join(f"{name} {value}" for name, value in manifest.settings.items())
    return f"{manifest.passes:,}, sampled by mcviz with {settings}"


def _describe_layer(layer: Layer) -> str:
    return layer.kind if layer.rate is None else f"{layer.kind}, rate {layer.rate:g}"


def _list_kept(manifest: Manifest) -> str:
    parts = {
        "predictions with dropout off": manifest.deterministic,
        f"{manifest.features or 0:,} features by which examples are alike": manifest.features is not None,
        "ids and columns of the examples": manifest.examples.columns_sha256 is not None,
    }
    return ", ".join(what for what, there in parts.items() if there)


def _join(names: "tuple[str, ...] | list[str]") -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(map(one_line, names[:MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")


def _steps(done: Preprocessing) -> list[str]:
    if max(len(done.mean), len(done.std)) <= MOST_LISTED:
        return done.steps
    return [*replace(done, mean=(), std=()).steps, "scaled column by column"]


def counted(count: int, noun: str) -> str:
    """A number of things, such as "1 pass" or "10,000 examples"."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun, such as "passes" or "examples"."""
    return noun + ("es" if noun.endswith("s") else "s")


def mistakes_sentence(wrong: np.ndarray, first: str) -> str:
    """Say how many predictions are wrong, and how many of these come first.

    Args:
        wrong: (n,) bool: whether each prediction is wrong, in an order.
        first: what the first ones of the order are, with a place for their number.
    """
    count, most = int(wrong.sum()), min(MOST_FIRST, len(wrong) // 5)
    if not count:
        return "No prediction is wrong."
    if count == len(wrong):
        return "Every prediction is wrong."
    sentence = f"{counted(count, 'prediction')} {'is' if count == 1 else 'are'} wrong"
    if not most:
        return f"{sentence}."
    early = int(wrong[:most].sum())
    return f"{sentence}; {early:,} of these {'is' if early == 1 else 'are'} among {first.format(f'{most:,}')}."


def capitalised(text: str) -> str:
    """A text with a capital at its beginning, and names in it as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def as_sentence(text: str) -> str:
    """A text as a sentence, with a capital and a full stop."""
    return f"{capitalised(text)}."


def with_count(choice: str, examples: int) -> str:
    """A choice of a filter, with how many examples it leaves."""
    return f"{choice} ({examples:,})"


def describe_scores(scores: Mapping[str, Score]) -> str:
    """Describe each score in a paragraph of Markdown."""
    return "\n\n".join(f"**{score.label}**: {as_markdown(score.meaning)}" for score in scores.values())


def ranking_end_labels(score: Score) -> tuple[str, str]:
    """The words for the first examples of a ranking, and for the last ones."""
    if score.needs_labels:
        return "worst fitting the label", "best fitting the label"
    return "most uncertain", "most confident"


def direction(score: Score, order: str) -> str:
    """The end of a score that comes first in an order of a ranking: lowest or highest."""
    return "lowest" if (score.uncertain_when == "low") == (order == "uncertain_first") else "highest"


def abbreviated(value: str) -> str:
    """A value with its unit, in few characters: ">99.9%" for "over 99.9%"."""
    return value.replace("over ", ">").replace("under ", "<")


def confidence(probability: float) -> str:
    """How confident a prediction with this probability sounds."""
    for bound, words in ((0.99, "very confident"), (0.9, "confident"), (0.7, "fairly confident")):
        if probability >= bound:
            return words
    return "uncertain"


def votes(summary: PassSummary, class_names: Sequence[str]) -> str:
    """How the passes vote, the most frequent predictions first.

    Args:
        summary: of the passes of one example.
        class_names: C names, as Markdown where the sentence is to be.

    Returns:
        Such as "312 of 500 passes predict 3, 180 predict 5, 6 predict 8, 2 predict others".
    """
    counts, passes = summary.votes, int(summary.votes.sum())
    order = [c for c in np.argsort(-counts, kind="stable")[:MOST_VOTED] if counts[c]]
    if counts[order[0]] == passes:
        return f"{f'all {passes} passes predict' if passes > 1 else 'the one pass predicts'} {class_names[order[0]]}"
    others = [(int(counts[c]), class_names[c]) for c in order[1:]]
    if rest := passes - int(counts[order].sum()):
        others.append((rest, "another" if rest == 1 else "others"))
    listed = ", ".join(f"{count} {'predicts' if count == 1 else 'predict'} {name}" for count, name in others)
    return f"{counts[order[0]]} of {passes} passes predict {class_names[order[0]]}, {listed}"


def prediction_and_votes(summary: PassSummary, class_names: Sequence[str]) -> str:
    """How likely the ensemble's prediction is and how the passes vote, for those who cannot see a chart of them."""
    likeliest = summary.prediction
    return f"{percent(summary.mean[likeliest])} for {class_names[likeliest]}; {votes(summary, class_names)}."


def prediction_sentence(summary: PassSummary, class_names: Sequence[str]) -> str:
    """Describe an example's prediction and confidence in Markdown."""
    probability, names = summary.mean[summary.prediction], all_as_markdown(class_names)
    return (
        f"The ensemble predicts **{names[summary.prediction]}** with {percent(probability)} and is "
        f"{confidence(probability)}: {votes(summary, names)}."
    )


def correctness_sentence(prediction: int, label: int | None, class_names: Sequence[str]) -> str:
    """Describe correctness in a short sentence; "" without label."""
    if label is None:
        return ""
    if prediction == label:
        return "That is correct."
    return f"That is wrong: the label is **{as_markdown(class_names[label])}**."


def doubt_sentences(
    summary: PassSummary,
    row: "Mapping[str, float] | pd.Series[float]",
    class_names: Sequence[str],
    label: int | None = None,
) -> list[str]:
    """Why a prediction is to be doubted, or its label is, in words.

    Args:
        summary: of the passes of one example.
        row: its scores, by their names in `SCORES`.
        class_names: C names.
        label: index of the given class, or None where it is not known.

    Returns:
        Sentences in Markdown, the most important first; one that says so where there is no doubt.
    """
    first = summary.prediction
    leader = as_markdown(class_names[first])
    if summary.mean[first] >= CONFIDENT and summary.votes[first] >= CONFIDENT * summary.passes:
        if label not in (None, first):
            given = percent(summary.mean[label])
            return [f"**Confidently different from its label**, which gets {given}: check the label."]
        if others := _voting_for_others(summary, first):
            return [f"**Hardly any uncertainty**: {others}."]
        return ["No sign of uncertainty: the passes agree on the class, and together they are confident of it."]
    sentences = [_between(summary, class_names)]
    if row["mutual_information"] > row["expected_entropy"]:
        sentences.append(
            "**Model (epistemic) uncertainty**: most of the entropy is disagreement between passes. More training "
            "examples like this one may reduce it."
        )
    else:
        sentences.append(
            "**Data (aleatoric) uncertainty**: most of the entropy is within the single passes, so the example itself "
            "is ambiguous to this model."
        )
    leading = summary.histograms[first] / summary.passes
    for_it, against = leading[80:].sum(), leading[:20].sum()  # hundredths
    if min(for_it, against) >= 0.1:
        sentences.append(
            f"**Two groups of passes**: {percent(for_it)} give {leader} 80% or more, {percent(against)} less than 20%."
        )
    elif row["predictive_std"] > 0.15:
        sentences.append(f"**One wide spread** of the probability of {leader}, without two groups of passes.")
    return sentences


def _between(summary: PassSummary, class_names: Sequence[str]) -> str:
    order = np.argsort(-summary.mean, kind="stable")
    first, second = (as_markdown(class_names[c]) for c in order[:2])
    lead = _points(float(summary.mean[order[0]] - summary.mean[order[1]]))
    rivals = [c for c in order if summary.mean[c] >= RIVAL * summary.mean[order[0]]]
    if len(rivals) == 1:
        others = _voting_for_others(summary, int(order[0]))
        return f"**Mostly one class**: {first} leads {second} by {lead}{f', but {others}' if others else ''}."
    if len(rivals) == 2:
        return f"**Between two classes**: {first} leads {second} by {lead}."
    named = all_as_markdown([class_names[c] for c in rivals[:MOST_LISTED]])
    last = named.pop() if len(rivals) <= MOST_LISTED else f"{len(rivals) - MOST_LISTED} more"
    return f"**Between {len(rivals)} classes**: {', '.join(named)} and {last}."


def _voting_for_others(summary: PassSummary, first: int) -> str:
    """Describe passes for other classes, such as "3 of 500 passes predict another class", or ""."""
    others = summary.passes - int(summary.votes[first])
    verb = "predicts" if others == 1 else "predict"
    return f"{others:,} of {counted(summary.passes, 'pass')} {verb} another class" if others else ""


def _points(difference: float) -> str:
    return f"{100 * difference:.1f} percentage points"
