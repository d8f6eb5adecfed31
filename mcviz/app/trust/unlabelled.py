"""Trust in a run without labels, by a labelled run of the same model."""

import pandas as pd
import streamlit as st

from mcviz.analysis.referral import check_same_model
from mcviz.analysis.unlabelled import SHIFTED, RunEstimate, estimate_accuracy
from mcviz.app.caching import cached_for_run, names_key
from mcviz.app.components.charts import table_height
from mcviz.app.components.widgets import state_widget_args
from mcviz.app.needs import MISSING, has, missing
from mcviz.app.resources import open_cached_run, run_paths
from mcviz.app.state import PageState, choose_name
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.measures import percent
from mcviz.runs import Run
from mcviz.text import one_line


def render_estimate(run: Run, state: PageState) -> None:
    """Render the accuracy that a chosen labelled run lets expect, and what is distributed otherwise than there."""
    st.info(missing(run, "labels"), icon=MISSING["labels"][0])
    offered = _find_labelled_runs(run)
    if not offered:
        st.caption("There is no run of the same model with labels here. With one, the accuracy can be estimated.")
        return
    name = choose_name(state.calibrated_on, offered)
    st.selectbox(
        "Estimate the accuracy by the labels of", list(offered), format_func=one_line, width=340,
        **state_widget_args("calibrated_on", name),
    )  # fmt: skip
    found = _estimate(run, offered[name])
    accuracy, *others = map(as_markdown, found.sentences)
    st.markdown(f"**{accuracy}** {' '.join(others)}")
    for warning in (*found.shift_sentences, *found.warnings):
        st.warning(as_markdown(warning), icon=":material/warning:")
    estimated = found.estimated
    st.caption(
        f"Temperature {estimated.temperature:.3f}, mean confidence at it {percent(estimated.mean_confidence, 2)}. "
        f"Shifted: a p-value below {SHIFTED:g}, corrected for {len(found.columns):,} tests. `mcviz trust` with "
        "`--calibrated-on` asks the model for the OOD score as well."
    )
    rows = pd.DataFrame(
        [
            (one_line(each.name), each.test, each.statistic, each.p_value, each.corrected, each.is_shifted)
            for each in found.columns
        ],
        columns=["column or score", "test", "statistic", "p", "corrected p", "shifted"],
    )
    numbers = {"statistic": "%.3f", "p": "%.2g", "corrected p": "%.2g"}
    st.dataframe(
        rows,
        key="shifts",
        hide_index=True,
        height=table_height(len(rows)),
        column_config={name: st.column_config.NumberColumn(format=form) for name, form in numbers.items()},
        alt=f"Table of {len(rows)} columns and scores, and whether they are distributed otherwise",
    )


def _find_labelled_runs(run: Run) -> dict[str, Run]:
    """Return the labelled runs of the same model, by name."""
    found = {}
    for name, path in run_paths().items():
        try:
            other = open_cached_run(path)
            check_same_model(run, other)
        except McvizError:  # it is damaged, or of another model
            continue
        if has(other, "labels") and len(other) > 1:
            found[name] = other
    return found


@cached_for_run(names_key, max_entries=4, show_spinner="Comparing the runs …")
def _estimate(run: Run, calibrated_on: Run) -> RunEstimate:
    return estimate_accuracy(run, calibrated_on)
