const PAUSE = 90; // milliseconds that a pointer rests on a point before its picture is asked for
const SELECTING = 600; // milliseconds after a lasso, in which it is sent
const BESIDE = 16; // pixels from the pointer
const SETTLED = 250; // milliseconds after the last change of what is in view, until its pictures are asked for
const SIDE = 34; // pixels, of a picture
const ABOVE = 5; // pixels, of a picture over its point, whose colour is seen

class Points {
  constructor(root) {
    this.shown = element("div", "beside");
    this.shown.hidden = true;
    this.ring = element("div", "mcviz-ring");
    this.ring.style.cssText =
      "position:absolute; box-sizing:border-box; width:24px; height:24px; margin:-12px 0 0 -12px; pointer-events:none;" +
      "border:3px solid light-dark(#10161d, #fff); border-radius:50%; z-index:10;";
    this.pictures = element("div", "mcviz-pictures");
    this.pictures.style.cssText = "position:absolute; inset:0; overflow:hidden; pointer-events:none; z-index:5;";
    this.pictures.setAttribute("aria-hidden", "true"); // the chart says what it shows
    this.known = new Map();
    this.quietUntil = 0;
    root.append(this.shown);
  }

  show(data) {
    this.data = data;
    this.current ??= data.current;
    if (data.version !== this.version) this.asked = undefined;
    if (data.version !== this.version || data.tiles.length > 1) this.known.clear();
    this.version = data.version;
    data.tiles.forEach((tile, index) => this.known.set(tile.example, { tile, index, data }));
    if (this.known.has(this.over?.example)) this.picture();
    this.overlay();
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
    chart.on("plotly_relayouting", () => this.pictures.remove()); // until it is where it is moved to
    chart.on("plotly_afterplot", () => this.overlay());
    this.overlay();
  }

  overlay() {
    this.mark();
    this.spread();
  }

  /* What is asked while somebody draws, or before the lasso is sent, would lose it. */
  draws() {
    this.left();
    this.quietUntil = Infinity;
    clearTimeout(this.settling);
    const ended = () => {
      this.quietUntil = performance.now() + SELECTING;
      this.spread();
    };
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
    const { tile, index, data } = this.known.get(this.over.example);
    this.shown.classList.toggle("wrong", tile.wrong);
    this.shown.replaceChildren(...contentsOf(tile, index, data));
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

  /* Few points in view are pictures, over the chart, which keeps the pointer: its lasso, its hovering, its clicks. */
  spread() {
    clearTimeout(this.settling);
    const points = this.chart ? pointsInView(this.chart, this.data.most) : [];
    const known = points.filter(({ example }) => this.known.has(example));
    this.pictures.replaceChildren(...known.map((point) => this.thumbnail(point)));
    if (known.length) overlayOf(this.chart).append(this.pictures);
    const examples = points.map(({ example }) => example);
    if (known.length === points.length || this.quietUntil === Infinity || `${examples}` === this.asked) return;
    this.settling = setTimeout(() => {
      this.asked = `${examples}`;
      const detail = { what: "pictures", example: examples[0], examples };
      document.dispatchEvent(new CustomEvent("mcviz-sent", { detail }));
    }, Math.max(SETTLED, this.quietUntil - performance.now()));
  }

  thumbnail({ example, left, top, faded }) {
    const { tile, index, data } = this.known.get(example);
    const picture = pictureOf(index, tile, data);
    const [width, height] = data.aspect > 1 ? [SIDE, SIDE / data.aspect] : [SIDE * data.aspect, SIDE];
    Object.assign(picture.style, {
      position: "absolute",
      left: `${left - width / 2}px`,
      top: `${top - height - ABOVE}px`,
      width: `${width}px`,
      height: `${height}px`,
      backgroundRepeat: "no-repeat",
      imageRendering: data.crisp ? "pixelated" : "auto",
      opacity: faded ? 0.25 : 1,
    });
    picture.dataset.example = example;
    return picture;
  }

  end() {
    this.ring.remove();
    this.pictures.remove();
    clearTimeout(this.waiting);
    clearTimeout(this.settling);
  }
}

export default withLatestData(({ data, parentElement }) => {
  const points = (parentElement.points ??= new Points(parentElement));
  points.show(data);
  const unwatch = watchChart(data.container, (chart) => points.attach(chart));
  const unlisten = listen(parentElement, { "mcviz-looked": (event) => points.looked(event.detail.example) });
  return () => {
    unwatch();
    points.end();
    unlisten();
  };
});
