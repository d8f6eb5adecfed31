"""Share in the bar: the open run as a page in one file."""

from hashlib import sha256

import numpy as np
import streamlit as st

from mcviz.app.resources import scores_key
from mcviz.app.selection import select
from mcviz.app.sharing import fit_page
from mcviz.app.state import PageState, session_store
from mcviz.app.wording import counted
from mcviz.app.work import compute_on_request, progress_bar, request
from mcviz.runs import Run
from mcviz.text import one_line

WORK = "sharing"  # work, of which the subject is the run, the state and the examples
MADE = "shared-page"  # in the session: the subject, and the page that was made of it


def render_offer(run: Run, state: PageState, page: str) -> None:
    """Render a choice of examples and a button to make or download the page.

    Args:
        run: that is open.
        state: of the page, with the filters and the ranking with which the shared page opens.
        page: title of the open page, for the log.
    """
    matching = np.sort(select(run, state).examples)
    st.caption("The run as one file that any browser opens, without Python and without a network.")
    chosen = np.arange(len(run))
    if 0 < len(matching) < len(run):
        takes = {"all": f"all {len(run):,}", "matching": f"{len(matching):,} that match"}
        wanted = st.segmented_control(
            "Examples", list(takes), format_func=takes.__getitem__, default="all", required=True, key="share-examples"
        )
        chosen = matching if wanted == "matching" else chosen
    subject = scores_key(run), repr(sorted(state.to_query().items())), sha256(chosen.tobytes()).hexdigest()

    def make() -> None:
        with progress_bar("examples written") as progress:
            session_store()[MADE] = subject, fit_page(run, state, chosen, progress=progress)

    made, content = session_store().get(MADE, (None, ""))
    if made == subject:
        st.download_button(
            f"Download, {len(content) / 1e6:.1f} MB",
            content,
            file_name=f"{one_line(run.name)}.html",
            mime="text/html",
            icon=":material/download:",
            key="share-download",
            on_click="ignore",
            type="primary",
        )
    elif not compute_on_request(WORK, subject, make, page):
        label = f"Make the page of {counted(len(chosen), 'example')}"
        st.button(label, icon=":material/ios_share:", key="share-make", on_click=request, args=(WORK, subject))
