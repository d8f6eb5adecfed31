const SVG = "http://www.w3.org/2000/svg";
const KEPT = 350; // milliseconds after the last key, until what it chose is asked for

const number = (count) => count.toLocaleString("en");

class Brush {
  constructor(root) {
    this.place = element("div", "brush");
    this.place.setAttribute("role", "group");
    const head = element("div", "head");
    this.label = element("b", "label");
    this.said = element("span", "said");
    this.remove = element("button", "remove", "✕");
    this.remove.type = "button";
    this.remove.onclick = () => this.ask({ what: "remove" });
    head.append(this.label, this.said, this.remove);
    this.plot = element("div", "plot");
    this.ends = ["from", "to"].map((word, end) => this.end(word, end));
    this.plot.onpointerdown = (event) => this.begin(event);
    this.plot.onpointermove = (event) => this.move(event);
    this.plot.onpointerup = (event) => this.finish(event);
    this.plot.onpointercancel = () => this.stop();
    this.plot.onpointerleave = () => this.tell();
    this.foot = element("div", "foot");
    this.place.append(head, this.plot, this.foot);
    root.append(this.place);
  }

  end(word, end) {
    const input = element("input", word);
    input.type = "range";
    input.min = 0;
    input.oninput = () => {
      const others = Number(this.ends[1 - end].value);
      const value = end ? Math.max(Number(input.value), others) : Math.min(Number(input.value), others);
      this.drawn = end ? [others, value] : [value, others];
      this.paint();
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.send(), KEPT);
    };
    input.onkeydown = (event) => {
      if (event.key === "Escape") this.ask({ what: "clear" });
    };
    return input;
  }

  show(data) {
    this.data = data;
    if (!this.pointer && !this.waiting) this.drawn = undefined;
    this.label.textContent = this.label.title = data.label;
    this.remove.hidden = !data.removable;
    this.remove.setAttribute("aria-label", `Take off the histogram of ${data.label}`);
    const left = data.bins.reduce((sum, bin) => sum + bin.left, 0);
    this.place.setAttribute(
      "aria-label",
      `Histogram of ${data.label}, ${number(left)} examples. Its two sliders choose a range; Escape chooses all.`,
    );
    this.place.classList.toggle("suspect", data.suspect);
    const parts = [data.scale, data.marked && element("span", "mistakes", data.marked), "drag to narrow"].filter(Boolean);
    this.foot.replaceChildren(...parts.flatMap((part, at) => (at ? [" · ", part] : [part])));
    this.paint();
    this.tell();
  }

  paint() {
    const { bins, places, marked } = this.data;
    const most = Math.log1p(Math.max(...bins.map((bin) => bin.all)));
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${bins.length} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true"); // the sliders say it all
    const bar = (name, at, height) => {
      if (!height) return;
      const rectangle = document.createElementNS(SVG, "rect");
      const places = { class: name, x: at + 0.04, y: 1 - height, width: 0.92, height };
      for (const [key, value] of Object.entries(places)) rectangle.setAttribute(key, value);
      svg.append(rectangle);
    };
    bins.forEach((bin, at) => {
      const height = Math.log1p(bin.left) / most;
      bar("all", at, Math.log1p(bin.all) / most);
      bar("left", at, height);
      if (marked && bin.left) bar("wrong", at, (height * bin.wrong) / bin.left);
    });
    const chosen = this.drawn ? [[this.drawn[0], this.drawn[1] + 1]] : places;
    const percent = (at) => `${(100 * at) / bins.length}%`;
    const shades = chosen.map(([from, to]) => this.strip("place", percent(from), percent(bins.length - to)));
    let before = 0;
    for (const [from, to] of chosen.length ? [...chosen, [bins.length, bins.length]] : []) {
      if (from > before) shades.push(this.strip("outside", percent(before), percent(bins.length - from)));
      before = to;
    }
    const first = chosen.length ? Math.floor(chosen[0][0] + 1e-6) : 0;
    const last = chosen.length ? Math.ceil(chosen.at(-1)[1] - 1e-6) - 1 : bins.length - 1;
    [first, last].forEach((value, end) => {
      const input = this.ends[end];
      input.max = bins.length - 1;
      input.value = value;
      const at = bins[Math.min(bins.length - 1, Math.max(0, value))];
      input.setAttribute("aria-label", `${this.data.label}, ${end ? "to" : "from"}`);
      input.setAttribute("aria-valuetext", `${at.name}: ${number(at.left)} examples`);
    });
    const focused = this.ends.find((input) => input.matches(":focus"));
    this.plot.querySelectorAll("svg, .place, .outside").forEach((old) => old.remove());
    this.plot.prepend(svg, ...shades);
    if (!this.ends[0].isConnected) this.plot.append(...this.ends);
    if (focused) this.tell(Number(focused.value));
  }

  strip(name, left, right) {
    const made = element("div", name);
    Object.assign(made.style, { left, right });
    return made;
  }

  /* What a bin holds, or what the heights and the colours mean. */
  tell(at) {
    const bin = this.data.bins[at];
    const { marked } = this.data;
    const wrong = bin && marked && bin.wrong ? `, ${number(bin.wrong)} ${marked}` : "";
    const of = bin && bin.left < bin.all ? ` of ${number(bin.all)}` : "";
    this.said.textContent = bin ? `${bin.name}: ${number(bin.left)}${of}${wrong}` : "";
    this.plot.title = `Drag to choose a range, click to choose all again. The higher, the more examples, on a logarithmic scale.${
      marked ? ` The lower part of a bar: the share that is ${marked}.` : ""
    }`;
  }

  at(event) {
    const { left, width } = this.plot.getBoundingClientRect();
    const bins = this.data.bins.length;
    return Math.min(bins - 1, Math.max(0, Math.floor((bins * (event.clientX - left)) / width)));
  }

  begin(event) {
    if (event.button !== 0) return;
    this.plot.setPointerCapture(event.pointerId);
    this.pointer = { start: this.at(event), x: event.clientX };
  }

  move(event) {
    const at = this.at(event);
    if (this.pointer && (this.drawn || Math.abs(event.clientX - this.pointer.x) > 3)) {
      this.drawn = [Math.min(at, this.pointer.start), Math.max(at, this.pointer.start)];
      this.paint();
    }
    this.tell(at);
  }

  finish(event) {
    if (!this.pointer) return;
    this.pointer = undefined;
    if (!this.drawn && this.data.places.length) return this.ask({ what: "clear" });
    this.drawn ??= [this.at(event), this.at(event)];
    this.paint();
    this.send();
  }

  stop() {
    this.pointer = this.drawn = undefined;
    this.paint();
  }

  send() {
    this.waiting = undefined;
    const [first, last] = this.drawn;
    this.ask({ what: "range", first, last });
  }
}

export default withLatestData(({ data, parentElement, setTriggerValue }) => {
  parentElement.brush ??= new Brush(parentElement);
  parentElement.brush.ask = (asked) => setTriggerValue("asked", asked);
  parentElement.brush.show(data);
});
