const PAUSE = 250; // milliseconds after the last change of what is in view, or after a line was drawn
const DRAWING = 600; // milliseconds after a lasso, in which it is sent

/* Tells the server what of a chart's plane is in view, once somebody has zoomed or moved it. */
class Zoom {
  constructor() {
    this.quietUntil = 0;
  }

  /* The chart is a new one for each part of the plane. */
  attach(chart) {
    if (chart === this.chart) return;
    this.chart = chart;
    clearTimeout(this.waiting);
    chart.on("plotly_relayout", (changes) => {
      if (Object.keys(changes).some((name) => /^[xy]axis\.(range|autorange)/.test(name))) this.later();
    });
    chart.addEventListener("pointerdown", () => this.held());
  }

  /* The chart that somebody draws on must not go. */
  held() {
    this.quietUntil = Infinity;
    const ended = () => {
      this.quietUntil = performance.now() + DRAWING;
      if (this.waiting) this.later();
    };
    for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, ended, { once: true });
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.send(), PAUSE);
  }

  send() {
    if (this.quietUntil === Infinity) return; // until the line is drawn
    if (performance.now() < this.quietUntil) return this.later();
    this.waiting = undefined;
    const { xaxis, yaxis } = this.chart.layout;
    this.ask({ x: xaxis.range.map(Number), y: yaxis.range.map(Number) });
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const zoom = (parentElement.zoom ??= new Zoom());
  zoom.ask = (window) => setTriggerValue("window", window);
  return watchChart(data.container, (chart) => zoom.attach(chart));
}
