const SVG = "http://www.w3.org/2000/svg";

// As a share of the height, from above, on a square-root scale to the count at the top.
const depth = (count, top) => 1 - Math.sqrt(count / top);

/* How many passes fall into each bin, of which those without any were not sent: hundredths, unless there are fewer. */
function countsOf({ bins, counts }, size = 100) {
  const all = Array(size).fill(0);
  bins.forEach((bin, index) => (all[bin] = counts[index]));
  return all;
}

function bars(counts, top) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", `0 0 ${counts.length} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true"); // the panel says it all
  const steps = counts.map((count, bin) => `V${depth(count, top)}H${bin + 1}`);
  path.setAttribute("d", `M0 1${steps.join("")}V1Z`);
  svg.append(path);
  return svg;
}

/* A pointer over the bars reads one of them in place of the mean. */
function readBars(plot, counts, passes, value) {
  const mean = value.textContent;
  plot.onpointermove = (event) => {
    const { left, width } = plot.getBoundingClientRect();
    const bins = counts.length;
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((bins * (event.clientX - left)) / width)));
    const [from, to] = [bin, bin + 1].map((edge) => (100 * edge) / bins);
    plot.style.setProperty("--from", from);
    plot.style.setProperty("--wide", to - from);
    value.textContent = `${from}–${to}%: ${counts[bin]} of ${passes}`;
  };
  plot.onpointerleave = () => {
    value.textContent = mean;
  };
}

function imageOf(shown, className) {
  const image = element("div", className);
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", shown.spoken);
  image.style.setProperty("--colour", shown.colour);
  return image;
}

function panelOf(shown, { passes, ticks, top = passes }) {
  const panel = imageOf(shown, "panel");
  const head = element("div", "head");
  const value = element("span", "value", shown.value);
  const name = element("b", "name", shown.name);
  name.title = shown.name; // of which a narrow panel shows the beginning
  const title = element("div", "title");
  title.append(name, element("span", "role", shown.role));
  head.append(title, value);

  const plot = element("div", "plot");
  for (const count of ticks) {
    const line = element("div", "count", count);
    line.style.top = `${100 * depth(count, top)}%`;
    plot.append(line);
  }
  for (const share of [0, 0.5, 1]) {
    const tick = element("div", "share", share);
    tick.style.left = `${100 * share}%`;
    plot.append(tick);
  }
  const counts = countsOf(shown);
  plot.append(bars(counts, top));
  readBars(plot, counts, passes, value);
  panel.append(head, plot);
  return panel;
}

function panelsOf(data) {
  const panels = element("div", "panels");
  panels.setAttribute("role", "group");
  panels.setAttribute("aria-label", data.spoken);
  panels.append(...data.panels.map((shown) => panelOf(shown, data)), element("div", "axis", "probability in a pass"));
  return panels;
}
