/* Streamlit's link to the main content leads to where the links to all pages are: on to what is behind them. */
function skipping() {
  const clicked = (event) => {
    const title = event.target.closest?.('[data-testid="stSkipToContent"]') && document.querySelector(".st-key-page-title");
    if (!title) return;
    title.tabIndex = -1;
    setTimeout(() => title.focus()); // after Streamlit has done so elsewhere
  };
  return { click: clicked };
}
