"""The person in front of the dashboard, and the controls to log in and out."""

from collections.abc import Mapping

import streamlit as st

from mcviz.app.streamlit_internals import current_visit
from mcviz.app.wording import as_markdown
from mcviz.permission import may_write


def current_person() -> str | None:
    """Return the address of a person: by Streamlit's login, or in a header that the operator trusts.

    None where nobody is, where the login gives no address or says that it was not verified, and in a thread of its own.
    """
    if current_visit() is None:
        return None
    user = st.user.to_dict()
    known = user.get("is_logged_in") is True or bool(st.get_option("server.trustedUserHeaders"))
    address = user.get("email")
    if not known or not isinstance(address, str) or user.get("email_verified") is False:
        return None
    return address.strip() or None


def render_login() -> None:
    """Render what somebody may do here, if not everything; and buttons to log in or out, if there is a login."""
    user = st.user.to_dict()
    if not may_write():
        st.badge("read-only", icon=":material/lock:", color="gray")
    if "is_logged_in" not in user:  # there is no login
        return
    if user["is_logged_in"]:
        name = as_markdown(current_person() or "without an address")
        st.button("Log out", icon=":material/logout:", key="log-out", help=name, type="tertiary", on_click=st.logout)
        return
    for provider in _providers() or [""]:
        words = f"Log in with {as_markdown(provider)}" if provider else "Log in"
        st.button(
            words, icon=":material/login:", key=f"log-in-{provider}", type="tertiary", on_click=st.login,
            args=(provider,) if provider else (),
        )  # fmt: skip


def _providers() -> list[str]:
    """Return the names of the login's providers, where there are several to choose from."""
    return [name for name, each in st.secrets["auth"].items() if isinstance(each, Mapping)]
