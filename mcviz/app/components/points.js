const PAUSE = 90; // milliseconds that a pointer rests on a point before its picture is asked for
const SELECTING = 600; // milliseconds after a lasso, in which it is sent
const BESIDE = 16; // pixels from the pointer

class Points {
  constructor(root) {
    this.shown = element("div", "beside");
    this.shown.hidden = true;
    this.ring = element("div", "mcviz-ring");
    this.ring.style.cssText =
      "position:absolute; box-sizing:border-box; width:24px; height:24px; margin:-12px 0 0 -12px; pointer-events:none;" +
      "border:3px solid light-dark(#10161d, #fff); border-radius:50%; z-index:10;";
    this.known = new Map();
    this.quietUntil = 0;
    root.append(this.shown);
  }

  show(data) {
    this.data = data;
    this.current ??= data.current;
    if (data.tile) this.known.set(data.tile.example, data);
    if (this.known.has(this.over?.example)) this.picture();
    this.mark();
  }

  attach(chart) {
    if (chart === this.chart) return;
    this.chart = chart;
    chart.on("plotly_hover", (event) => this.hovered(event));
    chart.addEventListener("pointerdown", () => this.draws());
    chart.on("plotly_unhover", () => this.left());
    chart.on("plotly_click", ({ points }) => {
      const example = points.find((point) => point.customdata !== undefined)?.customdata;
      if (example !== undefined) {
        document.dispatchEvent(new CustomEvent("mcviz-asked", { detail: { what: "look", example } }));
      }
    });
    chart.on("plotly_afterplot", () => this.mark());
    this.mark();
  }

  /* What is asked while somebody draws, or before the lasso is sent, would lose it. */
  draws() {
    this.left();
    this.quietUntil = Infinity;
    const ended = () => (this.quietUntil = performance.now() + SELECTING);
    for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, ended, { once: true });
  }

  hovered({ points, event }) {
    const example = points.find((point) => point.customdata !== undefined)?.customdata;
    if (example === undefined || this.quietUntil === Infinity) return;
    this.over = { example, x: event.clientX, y: event.clientY };
    clearTimeout(this.waiting);
    if (this.known.has(example)) return this.picture();
    this.shown.hidden = true;
    this.waiting = setTimeout(() => this.ask(example), Math.max(PAUSE, this.quietUntil - performance.now()));
  }

  ask(example) {
    document.dispatchEvent(new CustomEvent("mcviz-sent", { detail: { what: "hover", example } }));
  }

  left() {
    clearTimeout(this.waiting);
    this.over = undefined;
    this.shown.hidden = true;
  }

  picture() {
    const data = this.known.get(this.over.example);
    this.shown.classList.toggle("wrong", data.tile.wrong);
    this.shown.replaceChildren(...contentsOf(data.tile, 0, data));
    this.shown.hidden = false;
    const { width, height } = this.shown.getBoundingClientRect();
    const right = this.over.x + BESIDE + width < window.innerWidth;
    this.shown.style.left = `${right ? this.over.x + BESIDE : this.over.x - BESIDE - width}px`;
    this.shown.style.top = `${Math.max(0, Math.min(this.over.y + BESIDE, window.innerHeight - height))}px`;
  }

  looked(example) {
    this.current = example;
    this.mark();
  }

  /* A ring around the example that is looked at. Drawn over the chart, so that ten thousand points stay as they are. */
  mark() {
    this.ring.remove();
    const point = this.chart && this.current !== null ? pointOf(this.chart, this.current) : null;
    if (!point) return;
    Object.assign(this.ring.style, { left: `${point.left}px`, top: `${point.top}px` });
    this.ring.dataset.example = this.current;
    overlayOf(this.chart).append(this.ring);
  }

  end() {
    this.ring.remove();
    clearTimeout(this.waiting);
  }
}

export default withLatestData(({ data, parentElement }) => {
  const points = (parentElement.points ??= new Points(parentElement));
  points.show(data);
  const unwatch = watchChart(data.container, (chart) => points.attach(chart));
  const deafen = hear(parentElement, { "mcviz-looked": (event) => points.looked(event.detail.example) });
  return () => {
    unwatch();
    points.end();
    deafen();
  };
});
