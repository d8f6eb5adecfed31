"""The same weights at several rates of dropout: what their ensembles are worth, kept in a folder rate by rate."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcviz.choices import MASKS, Masks
from mcviz.data import DataSet, as_data_set
from mcviz.errors import RunExistsError
from mcviz.measures import scores_of
from mcviz.measures.quality import QUALITY, joined
from mcviz.measures.rates import LEAST_EXAMPLES
from mcviz.model.kinds import adapter_for_examples
from mcviz.model.run_sampling import DRAW_SCHEME, model_digest
from mcviz.model.sampler import Sampler
from mcviz.model.stochastic import StochasticLayer, own_kinds_among
from mcviz.model.tasks import TASKS
from mcviz.model.tracing import XLA
from mcviz.runs import Examples, Preprocessing
from mcviz.runs.contents import Progress, described_examples, described_images, sha256_of
from mcviz.runs.existing import is_temporary
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.lock import writing
from mcviz.runs.manifest import layout_for
from mcviz.text import printable
from mcviz.validate import fraction, invalid, one_of, whole_number

SETTINGS = "settings.json"
KEY = "settings"
MOST_RATES = 100
PASSES = 100  # a rate


@dataclass(frozen=True)
class SampledRates:
    """Terms of the examples at each rate, as `measures.rates.choose_rate` takes them.

    Attributes:
        by_rate: at each rate, ascending.
        as_trained: at the rates of the training.
        layers: those whose rate was another, at the rates of the training.
        model_sha256: of the model's architecture and weights, as a run's manifest has it.
    """

    by_rate: Mapping[float, dict[str, np.ndarray]]
    as_trained: dict[str, np.ndarray]
    layers: tuple[StochasticLayer, ...]
    model_sha256: str


def sample_rates(
    sampler: Sampler,
    data: Any,
    out: str | os.PathLike[str],
    *,
    rates: Sequence[float],
    passes: int = PASSES,
    seed: int = 0,
    masks: Masks = "per_pass",
    score: str = "max_probability",
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> SampledRates:
    """Sample a model over labelled examples at several rates of dropout, and at its own.

    Each rate is kept in the folder when it is finished; one that is there is not sampled again.

    Args:
        sampler: of a model at its own rates.
        data: examples with labels, as `sample_run` takes them.
        out: a folder, or an fsspec address, for this alone.
        rates: above 0 and below 1, up to 100.
        passes: at each rate, T, 2 or more.
        seed: of the masks.
        masks: `per_pass` or `per_example`.
        score: by which examples of a classification are uncertain.
        preprocessing: as for `sample_run`.
        progress: called with (done, total) predictions of all rates; what it raises stops the sampling, and the rates
            that are finished stay.

    Raises:
        InvalidInputError: an argument that cannot be used, or data without labels.
        UnsuitableModelError: no dropout whose rate can be changed.
        RunExistsError: the folder holds something else, or rates with other settings.
        StorageError: the folder cannot be written.
    """
    one_of("masks", masks, MASKS)
    passes, seed, rates = whole_number("passes", passes, 2), whole_number("seed", seed), _checked(rates)
    if sampler.rate is not None:
        raise invalid("sampler", "one at the model's own rates", f"one at the rate {sampler.rate:g}")
    ranked = QUALITY[sampler.task].needs_uncertainty
    if ranked:
        scores = scores_of(sampler.task)
        one_of("score", score, [name for name in scores if {"probs", "mean_probs"}.issuperset(scores[name].needs)])
    examples = as_data_set(data, sampler.task)
    if examples.labels is None or len(examples) < LEAST_EXAMPLES:
        found = "none" if examples.labels is None else f"{len(examples)}"
        raise invalid("data", f"{LEAST_EXAMPLES} or more examples with labels", found, "Labels say which rate is best.")
    asked = _Asked(examples, examples.labels, preprocessing, passes, seed, masks, score if ranked else "")
    settings = asked.settings(sampler)
    folder, wanted, total = folder_at(out), [None, *rates], passes * len(examples)
    with writing(folder):
        _begin(folder, settings)
        there = {rate: _kept(folder, _name(rate), settings, len(examples)) for rate in wanted}
        terms = {rate: kept for rate, kept in there.items() if kept is not None}

        def told(done: int) -> None:
            if progress:
                progress(len(terms) * total + done, len(wanted) * total)

        told(0)
        for rate in wanted:
            if rate not in terms:
                sampled = asked.terms(sampler if rate is None else _at(sampler, rate), told)
                folder.write(_name(rate), _packed(sampled, settings))
                terms[rate] = sampled
    by_rate = {rate: terms[rate] for rate in rates}
    return SampledRates(by_rate, terms[None], sampler.changeable_layers, settings["model"])


@dataclass(frozen=True)
class _Asked:
    """What is the same at every rate."""

    examples: DataSet
    labels: np.ndarray
    preprocessing: Preprocessing | None
    passes: int
    seed: int
    masks: Masks
    score: str

    def settings(self, sampler: Sampler) -> dict[str, Any]:
        """All that determines the terms, but for the rate, by names that people know."""
        adapter, content = adapter_for_examples(sampler, self.examples, self.preprocessing)
        width = sampler.deterministic(adapter.from_stored(content[0:1])).shape[1]
        _, targets = TASKS[sampler.task].names(self.examples, width, sampler.predicts)
        pixels = "" if self.examples.images is None else described_images(content, stored=False)[1]
        given = Examples(self.examples.kind, content.shape[0], pixels)
        described, _ = described_examples(given, sampler.task, targets, self.examples.ids, self.examples.content, None)
        return {
            "model": model_digest(sampler.model),
            "output": [sampler.output, sampler.from_logits, sampler.task, sampler.predicts],
            "examples": described.sha256,
            "labels": sha256_of(self.labels),
            "preprocessing": str(adapter.preprocessing),
            "passes": self.passes,
            "seed": self.seed,
            "masks": self.masks,
            "score": self.score,
            "draws": [DRAW_SCHEME, sampler.product, *([XLA] if sampler.compiler == XLA else [])],
        }

    def terms(self, sampler: Sampler, told: Callable[[int], None]) -> dict[str, np.ndarray]:
        """What the measures are computed from, of all examples, block by block."""
        adapter, content = adapter_for_examples(sampler, self.examples, self.preprocessing)
        step = layout_for(self.passes, sampler.width, None).examples_per_shard
        blocks = []
        for start in range(0, len(self.labels), step):
            rows = slice(start, min(start + step, len(self.labels)))

            def progress(done: int, _: int, start: int = start) -> None:
                told(start * self.passes + done)

            passes = sampler.sample(
                adapter.from_stored(content[rows]),
                passes=self.passes,
                seed=self.seed,
                masks=self.masks,
                first_example=start,
                progress=progress,
            )
            predictions = TASKS[sampler.task].predictions(passes, self.labels[rows])
            found = QUALITY[sampler.task].terms(predictions)
            if self.score:
                score = scores_of(sampler.task)[self.score]
                found["uncertainty"] = score.uncertainty(score.compute(predictions))
            blocks.append(found)
        return joined(blocks)


def _at(sampler: Sampler, rate: float) -> Sampler:
    """The same model, prepared at another rate."""
    own_kinds = own_kinds_among(sampler.model, {layer.name for layer in sampler.stochastic_layers})
    return Sampler(
        sampler.model,
        output=sampler.output,
        from_logits=sampler.from_logits,
        task=sampler.task,
        predicts=sampler.predicts,
        stochastic=own_kinds,
        product=sampler.product,
        compiler=sampler.compiler,
        rate=rate,
    )


def _checked(rates: Sequence[float]) -> list[float]:
    found = sorted({fraction("rates", rate) for rate in rates})
    if not 1 <= len(found) <= MOST_RATES or found[0] <= 0 or found[-1] >= 1:
        shown = ", ".join(f"{rate:g}" for rate in found[:3]) or "none"
        raise invalid("rates", f"1 to {MOST_RATES} numbers above 0 and below 1", f"{len(found)}: {shown}")
    return found


def _name(rate: float | None) -> str:
    return "as-trained.npz" if rate is None else f"rate-{rate!r}.npz"


def _begin(folder: Folder, settings: dict[str, Any]) -> None:
    """Write what is asked for, or check that the folder was begun with the same."""
    advice = f"Give another --out, or remove {folder.path}."
    there = sorted(name for name in folder.sizes() if not is_temporary(name))
    if not there:
        folder.write(SETTINGS, json.dumps(settings, indent=1).encode())
        return
    if SETTINGS not in there:
        raise RunExistsError(f"{folder.path} holds {printable(there[0])} and no rates. {advice}")
    try:
        begun = json.loads(folder.read(SETTINGS))
        others = [name for name, value in settings.items() if begun[name] != value]
    except (ValueError, TypeError, KeyError) as error:
        raise RunExistsError(f"{folder.address(SETTINGS)} is damaged. {advice}") from error
    if others:
        raise RunExistsError(f"{folder.path} holds rates with other {' and '.join(others)}. {advice}")


def _packed(terms: Mapping[str, np.ndarray], settings: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    members: dict[str, Any] = {**terms, KEY: _key(settings)}
    np.savez_compressed(file, **members)
    return file.getvalue()


def _kept(folder: Folder, name: str, settings: dict[str, Any], count: int) -> dict[str, np.ndarray] | None:
    """The terms of a rate that was finished earlier, or None."""
    try:
        with np.load(io.BytesIO(folder.read(name)), allow_pickle=False) as archive:
            terms = dict(archive)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    same = np.array_equal(terms.pop(KEY, np.empty(0)), _key(settings))
    return terms if same and all(values.shape == (count,) for values in terms.values()) else None


def _key(settings: dict[str, Any]) -> np.ndarray:
    """(32,) uint8, the SHA-256 of the settings."""
    return np.frombuffer(hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).digest(), np.uint8)
