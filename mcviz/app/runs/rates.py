"""Which rate of dropout? What `mcviz rates` found for the model of a run, where its folder lies beside the runs."""

from collections.abc import Mapping
from pathlib import Path, PurePath

import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.failures import refusal
from mcviz.app.navigation import RUNS
from mcviz.app.wording import as_markdown, counted
from mcviz.errors import CorruptRunError
from mcviz.figures.rates import measure_by_rate
from mcviz.measures.quality import QUALITY
from mcviz.permission import may_write
from mcviz.runs import Manifest
from mcviz.runs.files import folder_at
from mcviz.runs.rates import KeptRates, folders_of_rates, read_rates


def which_rate(name: str, manifest: Manifest, folder: Path) -> None:
    """The charts of the model's rates; or how to have them, for who may write.

    Args:
        name: of the run.
        manifest: of the run.
        folder: that the runs are in.
    """
    if manifest.model is None or not any(layer.rate for layer in manifest.origin.stochastic_layers):
        return
    kept, damaged = _of_model(manifest, folder)
    if not kept and not damaged and not may_write():
        return
    with st.expander("Which rate of dropout?", icon=":material/tune:"):
        for error in damaged:
            st.warning(refusal(error, RUNS.title), icon=":material/error:")
        if kept:
            _show(kept)
        elif not damaged:
            st.markdown(
                "Not measured yet. This samples the model at several rates, chooses the best on one half of the "
                "labelled examples, and judges all on the other half. The charts then stand here."
            )
            st.code(_command(name, manifest, folder.name), language=None, wrap_lines=True)


def _command(name: str, manifest: Manifest, folder: str) -> str:
    examples = f"{folder}/{name}"
    model = examples if manifest.has_model else "MODEL.keras"
    data = examples if manifest.has_examples and manifest.labels_sha256 else "DATA"
    return f"mcviz rates {model} {data} --out {folder}/{name}-rates"


def _of_model(manifest: Manifest, folder: Path) -> tuple[dict[str, KeptRates], list[CorruptRunError]]:
    """What is kept of the model's rates, by the name of its folder, and what of any model cannot be read."""
    kept, damaged = {}, []
    for name in folders_of_rates(folder):
        try:
            found = read_rates(folder_at(folder / name))
        except CorruptRunError as error:
            damaged.append(error)
            continue
        if manifest.model and (found.model_sha256, found.found.task) == (manifest.model.sha256, manifest.task):
            kept[name] = found
    return kept, damaged


def _show(kept: Mapping[str, KeptRates]) -> None:
    name = next(iter(kept))
    if len(kept) > 1:
        name = st.selectbox("Measured in", list(kept), key="rates-folder", width=300)
    rates = kept[name]
    found, quality = rates.found, QUALITY[rates.found.task]
    st.markdown(f"**{as_markdown(found.in_words(rates.unit))}**")
    st.caption(
        f"Measured on the {counted(found.examples[1], 'example')} that did not choose the rate, with "
        f"{100 * found.confidence:.6g}% intervals. Line: all dropout at one rate. Dashed: as trained. Dotted: rates "
        "of the training. Ring: the rate that was chosen."
    )
    for start in range(0, len(quality.drawn), 2):
        for column, measure in zip(st.columns(2, gap="large"), quality.drawn[start : start + 2], strict=False):
            with column:
                label = quality.measures[quality.place[measure]].label
                figure = measure_by_rate(found, measure, rates.trained, rates.unit)
                chart(figure, f"rates-{measure}", f"{label} over the rate of dropout; {found.chosen:g} was chosen.")
    with st.container(key="rates-figures"):
        st.table(pd.DataFrame(found.rows(rates.unit)).map(as_markdown).set_index("rate"))
    facts = {what: PurePath(said).name if what in ("model", "data") else said for what, said in rates.facts.items()}
    told = " · ".join(f"{what} {as_markdown(said)}" for what, said in facts.items())
    st.caption(f"{as_markdown(name)}: {told}. A run at another rate is made by the option `--rate` of `mcviz sample`.")
