/* Streamlit draws a page anew when somebody goes back to it. Here they are where they were: at the same place of the page,
   and on the same tile or field. */
const PATIENCE = 10_000; // milliseconds until a page that does not get as long as it was is left as it is
const AT_REST = 300; // milliseconds that a place has to hold
const HEAD = ".st-key-page-head"; // of the page, which is gone before the address where another page comes
const places = (window.mcvizPlaces ??= {}); // where somebody was, by page

function keyOf(found) {
  const keyed = found?.closest?.('[class*="st-key-"]');
  return keyed && [...keyed.classList].find((name) => name.startsWith("st-key-"));
}

/* What has the focus: the key of its component, and the number of an example where it is one of several. */
function focused() {
  const found = document.activeElement;
  return { key: keyOf(found), example: found?.shadowRoot?.activeElement?.dataset.example };
}

function toFocus({ key, example }) {
  const place = key && document.querySelector(`.${CSS.escape(key)}`);
  if (!place) return null;
  if (example === undefined) return place.querySelector("input, button, a[href], [tabindex]");
  const shadows = [...place.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean);
  return shadows.map((each) => each.querySelector(`[data-example="${example}"]`)).find(Boolean) ?? null;
}

class GoingBack {
  constructor() {
    this.noteWhere();
  }

  /* The tab's title tells one page from another where the browser has gone to another address already. */
  noteWhere() {
    this.page = location.pathname;
    this.title = document.title;
  }

  note() {
    if (this.wanted || !document.querySelector(HEAD)) return;
    this.noteWhere();
    places[this.page] = { top: scroller()?.scrollTop ?? 0, ...focused() };
  }

  went() {
    if (location.pathname === this.page && document.title === this.title) return;
    this.noteWhere();
    this.wanted = places[this.page];
    if (!this.wanted) return;
    this.since = this.held = performance.now();
    requestAnimationFrame(() => this.approach());
  }

  approach() {
    const now = performance.now();
    const page = scroller();
    if (!this.wanted || !page) return;
    if (Math.abs(page.scrollTop - this.wanted.top) > 1) {
      page.scrollTop = this.wanted.top;
      this.held = now;
    }
    if (scriptState() !== "notRunning") this.held = now;
    const arrived = now - this.held > AT_REST;
    if (arrived) toFocus(this.wanted)?.focus({ preventScroll: true });
    if (arrived || now - this.since > PATIENCE) this.stay();
    else requestAnimationFrame(() => this.approach());
  }

  stay() {
    this.wanted = null;
  }
}

function goingBack() {
  const back = new GoingBack();
  const note = () => back.note();
  const stay = () => back.stay(); // somebody goes elsewhere by themselves
  return {
    popstate: () => back.went(),
    scroll: note,
    focusin: note,
    wheel: stay,
    pointerdown: stay,
    touchstart: stay,
    keydown: stay,
  };
}
