// What a benchmark asks of a page. Components draw in shadow trees of their own. What was there before an act is kept, to
// be told from what the act leads to.
let since;
let chartsBefore;
let histogramsBefore;

function inside(selector) {
  const hosts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
  return [...hosts].flatMap((host) => [...(host.shadowRoot?.querySelectorAll(selector) ?? [])]);
}

const firstTile = () => inside(".tile").at(0)?.dataset.example;
const lastTile = () => inside(".tile").at(-1)?.dataset.example;
const histograms = () => inside(".panels path").map((path) => path.getAttribute("d")).join();
const charts = () => [...document.querySelectorAll(".js-plotly-plot")];
const buttonSays = (words) => [...document.querySelectorAll("button")].some((it) => it.textContent.includes(words));

function chartsAreNew([count]) {
  const drawn = charts().filter((chart) => chart.querySelector(".cartesianlayer .trace, .cartesianlayer .bars"));
  const fresh = drawn.length === count && !drawn.some((chart) => chartsBefore.includes(chart));
  return fresh && (!histogramsBefore || histograms() !== histogramsBefore);
}

const histogramsAreNew = () => histograms() !== histogramsBefore;

function listen(kind) {
  [since, chartsBefore, histogramsBefore] = [null, charts(), histograms()];
  const kinds = kind === "any" ? ["keydown", "pointerup"] : [kind];
  for (const heard of kinds) document.addEventListener(heard, (event) => since ??= event.timeStamp, true);
}

const heard = () => since;
Object.assign(window, { firstTile, lastTile, histograms, buttonSays, chartsAreNew, histogramsAreNew, listen, heard });
