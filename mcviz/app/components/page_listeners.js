/* Plotly keeps every touch on a chart for itself, so that a page could not be scrolled from there. It is not told of
   them, and the browser scrolls; of a tap it makes a click, which plotly hears. One finger selects on a chart once its
   toolbar's lasso or box was tapped, and then the page scrolls again. */
const SELECTING = "mcvizSelecting";
const MENUS = ".st-key-bar details[open]";

function chartOf(event) {
  return event.target instanceof Element ? event.target.closest(CHART) : null;
}

const touching = {
  touchstart: (event) => {
    const chart = chartOf(event);
    if (chart && !(SELECTING in chart.dataset)) event.stopPropagation();
  },
  touchend: (event) => {
    const chart = chartOf(event);
    if (chart && !event.target.closest(TOOLBAR)) delete chart.dataset[SELECTING];
  },
  click: (event) => {
    const chart = chartOf(event);
    if (chart && event.target.closest(SELECTING_TOOL)) chart.dataset[SELECTING] = "";
  },
};

/* A lasso that begins and ends on a chart's toolbar is no click on what lies there: it would turn to panning unseen. */
let leftToolbar = false;
const drawing = {
  pointerdown: () => {
    leftToolbar = false;
  },
  pointermove: ({ buttons, target }) => {
    if (buttons && !target.closest?.(TOOLBAR)) leftToolbar = true;
  },
  click: (event) => {
    if (leftToolbar && event.target.closest?.(TOOLBAR)) event.stopImmediatePropagation();
  },
};

/* Streamlit's link to the main content leads to where the bar is: on to what is behind it. */
const skipping = {
  click: (event) => {
    const head = event.target.closest?.(SKIP_LINK) && document.querySelector(".st-key-page-head");
    if (!head) return;
    head.tabIndex = -1;
    setTimeout(() => head.focus()); // after Streamlit has done so elsewhere
  },
};

/* The menus of the bar close at a click elsewhere, and at Escape. What opens above one, such as a list, is a part of it. */
const menus = {
  click: ({ target }) => {
    const above = target.closest?.(`.st-key-bar-about, .st-key-copy-link, ${POPOVER}`);
    for (const menu of above ? [] : document.querySelectorAll(MENUS)) {
      if (!menu.contains(target)) menu.open = false;
    }
  },
  keydown: ({ key }) => {
    const menu = key === "Escape" && document.querySelector(MENUS);
    if (!menu || document.querySelector(POPOVER)) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  },
};

/* Streamlit draws what a button opens at the end of the page: the next Tab leads there, and not through all of the page. */
const popovers = {
  keydown: ({ key, shiftKey, target }) => {
    const opens = key === "Tab" && !shiftKey && target.closest?.(`${OPENER}[aria-expanded="true"]`);
    const body = opens && document.querySelector(POPOVER);
    if (!body?.querySelector?.("a, button, input, textarea")) return;
    body.tabIndex = -1;
    body.focus(); // from where the browser goes on to what is in it
  },
};

/* The sidebar holds the filters of a page, and what opens and closes it is called so: two buttons that take each other's
   place, and the focus. */
let pressed = null;
const sidebar = {
  click: ({ target }) => {
    pressed = target.closest?.(SIDEBAR) ?? pressed;
  },
};

function followSidebar() {
  const buttons = [...document.querySelectorAll(SIDEBAR)];
  buttons.forEach((button) => button.setAttribute("aria-label", "Filters"));
  if (!pressed || pressed.isConnected) return;
  pressed = null;
  buttons[0]?.focus();
}

const following = { popstate: carryAddress };

export default function () {
  followAddress();
  const listening = new AbortController();
  for (const listeners of [drawing, touching, goingBack(), skipping, menus, popovers, sidebar, following]) {
    for (const [kind, listener] of Object.entries(listeners)) {
      window.addEventListener(kind, listener, { capture: true, passive: true, signal: listening.signal });
    }
  }
  const watching = [onNewPage(followSidebar), onNewPage(endArrival), onNewPage(carryAddress)];
  return () => {
    listening.abort();
    watching.forEach((each) => each.disconnect());
  };
}
