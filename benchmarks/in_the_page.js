// What a benchmark asks of a page. Components draw in shadow trees of their own. What was there before an act is kept, to
// be told from what the act leads to.
let since;
let chartsBefore;
let histogramsBefore;
let explainedBefore;
let picturedBefore;

// What the server sends, over the line that Streamlit opens.
const received = { messages: 0, bytes: 0, ahead: 0 };
window.WebSocket = class extends WebSocket {
  constructor(...line) {
    super(...line);
    this.addEventListener("message", ({ data }) => {
      received.messages += 1;
      received.bytes += data.byteLength;
      if (new TextDecoder().decode(data).includes("explanations-ahead")) received.ahead += data.byteLength;
    });
  }
};

function inside(selector) {
  const hosts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
  return [...hosts].flatMap((host) => [...(host.shadowRoot?.querySelectorAll(selector) ?? [])]);
}

const firstTile = () => inside(".tile").at(0)?.dataset.example;
const lastTile = () => inside(".tile").at(-1)?.dataset.example;
const histograms = () => inside(":is(.panels, .strips) path").map((path) => path.getAttribute("d")).join();
const charts = () => [...document.querySelectorAll(".js-plotly-plot")];
const sentence = () => [...document.querySelectorAll(".st-key-page-head p")].find((it) => !it.closest("a"))?.textContent;
const buttonSays = (words) => [...document.querySelectorAll("button")].some((it) => it.textContent.includes(words));

function chartsAreNew([count]) {
  const drawn = charts().filter((chart) => chart.querySelector(".cartesianlayer .trace, .cartesianlayer .bars"));
  const fresh = drawn.length === count && !drawn.some((chart) => chartsBefore.includes(chart));
  return fresh && (!histogramsBefore || histograms() !== histogramsBefore);
}

const explained = () => inside(".explanation").map((place) => place.textContent).join();
const pictured = () => inside(".look .which")[0]?.textContent ?? document.querySelector('[data-testid="stImage"] img')?.alt;
const isPicturedAnew = () => pictured() !== picturedBefore;
const isExplainedAnew = () => explained() !== explainedBefore && !inside(".explanation.waiting").length;
const histogramsAreNew = () => histograms() !== histogramsBefore;

function listen(kind) {
  [since, chartsBefore, histogramsBefore] = [null, charts(), histograms()];
  [explainedBefore, picturedBefore] = [explained(), pictured()];
  Object.assign(received, { messages: 0, bytes: 0, ahead: 0 });
  const kinds = kind === "any" ? ["keydown", "pointerup"] : [kind];
  for (const heard of kinds) document.addEventListener(heard, (event) => since ??= event.timeStamp, true);
}

// Looks in every frame, from before an act on, for what it leads to.
let answer;

function watch(kind, drawn, given) {
  listen(kind);
  answer = null;
  let frames = 0;
  const look = () => {
    if (since !== null) frames += 1;
    const isDrawn = since !== null && !document.querySelector("[data-stale=true]") && drawn(given);
    if (isDrawn) answer = { seconds: (performance.now() - since) / 1000, frames };
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

const heard = () => since;
const answered = () => answer;
Object.assign(window, {
  inside,
  firstTile,
  lastTile,
  histograms,
  sentence,
  buttonSays,
  chartsAreNew,
  histogramsAreNew,
  isPicturedAnew,
  isExplainedAnew,
  received,
  watch,
  answered,
  listen,
  heard,
});
