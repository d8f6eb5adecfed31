"""The OOD scores of a run: kept, computed when that is asked for, with progress and a way to stop."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from mcviz.app.failures import refusal
from mcviz.app.navigation import OUT_OF_DISTRIBUTION
from mcviz.app.needs import Part, check_needs
from mcviz.app.places import finished_runs, offered_data
from mcviz.app.resources import sampler
from mcviz.app.session import session_store
from mcviz.app.state import quote
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.ood_scores import OODScores, load_ood_scores, save_ood_scores
from mcviz.text import one_line

ASKED = "ood-asked"  # in the session: the run, and the set or "" for those of its own examples
NEEDED: tuple[Part, ...] = "examples", "model"


def kept_scores(run: Run) -> OODScores | None:
    """What was computed earlier, on this server or by the command line."""
    return _unsaved().get(run.digest) or load_ood_scores(run)


def first_comparison(run: Run) -> None:
    """What is going to be computed, and the button for it."""
    if not check_needs(run, NEEDED):
        return
    if _running(run, ""):
        return
    st.info(
        "Nothing is computed yet. Sets are made of this run's own examples, such as noise, mixed or shuffled ones. The "
        f"model predicts each in {run.passes:,} passes. It takes up to some minutes, and is kept.",
        icon=":material/rule:",
    )
    st.button("Compare", type="primary", icon=":material/play_arrow:", key="ood", on_click=_ask, args=(run.digest, ""))


def another_set(run: Run, found: OODScores) -> None:
    """A chooser of a set that is given, and those that were added with a button to remove each."""
    offered = _offered(run)
    st.subheader("Your own sets", anchor=False)
    if not check_needs(run, NEEDED):
        return
    asked = session_store().get(ASKED)
    if asked and asked[0] == run.digest and asked[1] in offered and _running(run, asked[1]):
        return
    if offered:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox("Compare also with", list(offered), format_func=one_line, width=320, key="ood-given")
            st.button("Compare", icon=":material/add:", key="ood-add", on_click=_ask, args=(run.digest, chosen or ""))
    else:
        st.caption(
            "There is no other run of such examples here, and no folder that visitors may read. Name folders in the "
            "variable `MCVIZ_DATA`, or type `mcviz ood RUN --against FOLDER`."
        )
    added = [each for each in found.sets if each.source] if may_write() else []
    with st.container(horizontal=True):
        for each in added:
            label = f"Remove {quote(each.label)}"
            st.button(label, icon=":material/close:", key=f"remove-{each.key}", on_click=_remove, args=(run, each.key))


def _offered(run: Run) -> dict[str, Path]:
    """Other runs of such examples, and what the operator lets visitors read, by name."""
    found = {
        f"Run {name}": path
        for name, path, other in finished_runs()
        if other.digest != run.digest and other.examples.kind == run.manifest.examples.kind
    }
    return found | offered_data()


def _running(run: Run, name: str) -> bool:
    """Compute what was asked for, if it was; the page is drawn anew when that is done."""
    if session_store().get(ASKED) != (run.digest, name):
        return False
    st.button("Stop", icon=":material/stop_circle:", key="ood-stop", on_click=_ask, args=(None, ""))
    bar = st.empty()
    try:
        found = _computed(run, name, lambda what, done: bar.progress(done, what))
    except McvizError as error:
        _ask(None)
        st.error(refusal(error, OUT_OF_DISTRIBUTION.title), icon=":material/error:")
    else:
        _keep(run, found)
        _ask(None)
        st.rerun()
    finally:
        bar.empty()
    return False


def _computed(run: Run, name: str, stage: Callable[[str, float], object]) -> OODScores:
    stage("Loading the model", 0.0)
    prepared = sampler(run)
    # here, because TensorFlow takes seconds to import
    from mcviz.sampling.ood_comparison import compute_ood_scores, read_set

    def told(what: str, done: float) -> None:
        stage(as_markdown(what), min(done, 1.0))

    given = [read_set(prepared, run, _offered(run)[name])] if name else []
    return compute_ood_scores(prepared, run, given, kept=kept_scores(run), stage=told)


def _ask(digest: str | None, name: str = "") -> None:
    session_store()[ASKED] = None if digest is None else (digest, name)


def _remove(run: Run, key: str) -> None:
    found = kept_scores(run)
    if found is not None:
        _keep(run, found.without(key))


def _keep(run: Run, found: OODScores) -> None:
    if save_ood_scores(run, found):
        _unsaved().pop(run.digest, None)
    else:
        _unsaved()[run.digest] = found


@st.cache_resource(show_spinner=False)
def _unsaved() -> dict[str, OODScores]:
    """By the run's digest, shared by all sessions: where nothing can be written."""
    return {}
