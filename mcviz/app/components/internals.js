/* What the scripts here reach of Streamlit and plotly beside what these offer. Tried with Streamlit 1.67.0, which brings
   plotly.js 4.2.0; after an update of either, tests/browser says what is left. */

// Streamlit's page. Its classes `st-key-…` are not among these: they are offered.

const POPOVER = '[data-testid="stPopoverBody"]';
const OPENER = '[data-testid="stPopover"] button'; // that opens it
const TAKES_KEYS = `[data-testid="stDataFrame"], ${POPOVER}`; // widgets with keys of their own
const SKIP_LINK = '[data-testid="stSkipToContent"]'; // to the main content
const SIDEBAR = ':is([data-testid="stExpandSidebarButton"], [data-testid="stSidebarCollapseButton"] button)'; // opens it, closes it
const PICTURE = "picture-of-example"; // the key of its container
const WAITING = "mcviz-waiting"; // a class of the main block: the example is another one, and the rest is to come
const LINKS = ":is(.st-key-bar, .st-key-page-head) a"; // to other pages, which carry the address along
const OWN_KEYS = ["section", "step", "present", "origin"]; // keys of the address that links to other pages do not carry
const BUTTON = '[data-testid="stButton"] button'; // not one that is a part of another widget
const STALE = "[data-stale=true]"; // a widget that was replaced, until the new one is drawn
const RETAINED = "[data-retained]"; // and a moment longer, hidden

function appRoot() {
  return document.querySelector('[data-testid="stApp"]');
}

const SCRIPT_STATE = "data-test-script-state";

/* "running" while a page is drawn, "notRunning" once it is, and others before that. */
function scriptState() {
  return appRoot()?.getAttribute(SCRIPT_STATE);
}

/* Calls `call` now, whenever a page begins to be drawn or is drawn, and whenever the sidebar was opened or closed. */
function onNewPage(call) {
  const watching = new MutationObserver(call);
  watching.observe(appRoot(), { attributeFilter: [SCRIPT_STATE] });
  watching.observe(document.querySelector('[data-testid="stHeader"]'), { childList: true, subtree: true });
  call();
  return watching;
}

function mainBlock() {
  return document.querySelector('[data-testid="stMainBlockContainer"]');
}

function scroller() {
  return document.querySelector('[data-testid="stMain"]');
}

/* Streamlit leaves an entry in the browser's history for every change of the address. That of a look at another example
   takes the place of the one before, so that going back leads out of the looks in one step; and so does what the server
   makes of the address of a link, which was drawn before the latest change of the page. A browser without the navigation
   API keeps all entries. */
function followAddress() {
  window.mcvizArrives ??= false;
  if (!window.navigation) return;
  navigation.onnavigate = shortenHistory;
  navigation.oncurrententrychange = carryAddress;
}

function shortenHistory(event) {
  if (event.navigationType !== "push" || !event.destination.sameDocument) return;
  const [from, to] = [new URL(location.href), new URL(event.destination.url)];
  const arrives = from.pathname !== to.pathname;
  const replaces = isNextLook(from, to) || (window.mcvizArrives && !arrives);
  window.mcvizArrives = arrives;
  if (!replaces || !event.cancelable) return;
  event.preventDefault();
  history.replaceState({}, "", to);
}

/* A page is drawn, whose address is then the one that it has. */
function endArrival() {
  if (scriptState() === "notRunning") window.mcvizArrives = false;
}

/* The links to other pages are not drawn anew with a part of the page, and follow its address here. */
function carryAddress() {
  window.notePage?.(); // of the page's HTML, see server.py
  for (const link of document.querySelectorAll(LINKS)) {
    const [to, query] = [new URL(link.href), new URL(location.href).searchParams];
    for (const key of OWN_KEYS) {
      query.delete(key);
      if (to.searchParams.has(key)) query.set(key, to.searchParams.get(key));
    }
    to.search = query;
    link.href = to;
  }
}

function isNextLook(from, to) {
  if (from.pathname !== to.pathname || !document.querySelector(".st-key-look")) return false;
  const keys = new Set([...from.searchParams.keys(), ...to.searchParams.keys()]);
  return [...keys].filter((key) => from.searchParams.get(key) !== to.searchParams.get(key)).join() === "example";
}

// Plotly's charts

const CHART = ".js-plotly-plot";
const TOOLBAR = ".modebar";
const SELECTING_TOOL = '[data-attr="dragmode"]:is([data-val="lasso"], [data-val="select"])'; // of the toolbar

/* Calls `attach` with the chart of a Streamlit container, which is drawn after this, and at times anew. */
function watchChart(container, attach) {
  const place = document.querySelector(`.st-key-${CSS.escape(container)}`);
  const look = () => {
    const chart = place.querySelector(CHART);
    if (chart?.on) attach(chart);
  };
  const watching = new MutationObserver(look);
  watching.observe(place, { childList: true, subtree: true });
  look();
  return () => watching.disconnect();
}

/* Where a chart draws the point whose `customdata` is an example, in pixels; null where it is not in view. */
function pointOf(chart, example) {
  const { xaxis, yaxis } = chart._fullLayout ?? {};
  if (!xaxis) return null;
  for (const { customdata, x, y } of chart._fullData) {
    const at = customdata ? customdata.indexOf(example) : -1;
    if (at < 0) continue;
    const [left, top] = [xaxis.d2p(x[at]), yaxis.d2p(y[at])];
    const inView = left >= 0 && top >= 0 && left <= xaxis._length && top <= yaxis._length;
    return inView ? { left: xaxis._offset + left, top: yaxis._offset + top } : null;
  }
  return null;
}

/* The points of a chart that are in view and carry examples as `customdata`, in pixels; none where they are more than `most`. */
function pointsInView(chart, most) {
  const { xaxis, yaxis } = chart._fullLayout ?? {};
  const found = [];
  for (const { customdata, x, y, visible, selectedpoints, marker } of xaxis ? chart._fullData : []) {
    for (let at = 0; visible === true && at < (customdata?.length ?? 0); at++) {
      const [left, top] = [xaxis.d2p(x[at]), yaxis.d2p(y[at])];
      if (!(left >= 0 && top >= 0 && left <= xaxis._length && top <= yaxis._length)) continue;
      if (found.length >= most) return [];
      const faded = selectedpoints ? !selectedpoints.includes(at) : marker.opacity?.[at] < 0.2;
      found.push({ example: customdata[at], left: xaxis._offset + left, top: yaxis._offset + top, faded });
    }
  }
  return found;
}

/* What an element can be drawn over a chart in. */
function overlayOf(chart) {
  return chart.querySelector(".svg-container");
}
