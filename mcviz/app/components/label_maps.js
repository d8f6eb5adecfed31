const LINE = 2; // pixels of the screen, of an outline
const HALO = 3; // more, of what lies below it, so that it is seen on any picture
const DASH = [7, 5];
const MOST_ZOOM = 24;
const ZOOMED = 1.5; // by one step
const MOVED = 0.15; // of what is in view, by one key
const HEIGHTS = { all: "62vh", few: "320px", none: "56vh" }; // of the picture, at most, by its controls
const SECONDS = 0.7; // that one pass is seen, where they are drawn one after the other
const STOPS = [[68, 1, 84], [222, 82, 58], [253, 231, 37]]; // the colours of a map, from 0 to its largest value

/* The numbers of all maps, which the server packed with zlib. */
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* The outline of each class in a label map, along the edges of its pixels; none of the background or of no class. */
function outlinesOf(map, { width, height, classes, background }) {
  const step = width + 1; // corners in a row
  const edges = classes.map(() => new Map());
  const add = (value, from, to) => {
    const ends = edges[value].get(from);
    if (ends) ends.push(to);
    else edges[value].set(from, [to]);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const value = map[at];
      if (value === background || value >= classes.length) continue;
      const corner = y * step + x;
      if (y === 0 || map[at - width] !== value) add(value, corner, corner + 1);
      if (x === width - 1 || map[at + 1] !== value) add(value, corner + 1, corner + 1 + step);
      if (y === height - 1 || map[at + width] !== value) add(value, corner + 1 + step, corner + step);
      if (x === 0 || map[at - 1] !== value) add(value, corner + step, corner);
    }
  }
  return edges.map((next) => pathOf(next, step));
}

/* Closed lines of the edges that lead from corner to corner. */
function pathOf(next, step) {
  const path = new Path2D();
  for (const start of next.keys()) {
    while (next.has(start)) {
      path.moveTo(start % step, Math.floor(start / step));
      let at = start;
      let along = 0;
      do {
        const ends = next.get(at);
        const to = ends.pop();
        if (!ends.length) next.delete(at);
        if (along && to - at !== along) path.lineTo(at % step, Math.floor(at / step));
        along = to - at;
        at = to;
      } while (at !== start);
      path.closePath();
    }
  }
  return path;
}

/* A canvas of one pixel for each of a map, in the colour that is given for it as one number, or 0 for none. */
function paint({ width, height }, colourOf) {
  const canvas = element("canvas", "");
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  const colours = new Uint32Array(pixels.data.buffer);
  for (let at = 0; at < colours.length; at++) colours[at] = colourOf(at);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

const asNumber = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

const DIFFERS = asNumber([213, 94, 0]);
const FILLED = 0.45; // how opaque a filled mask is
// Of a colour that comes for the second, third, … time: the angle in the legend, and the place across the lines.
const HATCHES = [
  { angle: "45deg", along: (x, y) => x + y },
  { angle: "135deg", along: (x, y) => x - y },
  { angle: "90deg", along: (x) => x },
  { angle: "0deg", along: (_, y) => y },
];

const partsOf = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));

/* The colours of the 256 values of a map. */
const RAMP = Uint32Array.from({ length: 256 }, (_, value) => {
  const place = (value / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  return asNumber(STOPS[low].map((part, index) => Math.round(part + (place - low) * (STOPS[low + 1][index] - part))));
});

class LabelMaps {
  constructor(root) {
    this.place = element("div", "maps");
    const [left, right] = [element("div", "seen"), element("div", "beside")];
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-label", "Picture: arrow keys move it, + and − zoom, 0 shows all");
    this.canvas = element("canvas", "");
    this.canvas.setAttribute("role", "img");
    this.stage.append(this.canvas);
    this.readout = element("div", "readout");
    this.tools = element("div", "tools");
    this.legend = element("ul", "legend");
    left.append(this.stage, this.readout);
    right.append(this.tools, this.legend);
    this.place.append(left, right);
    root.append(this.place);
    this.on = { image: true, prediction: true, label: true, filled: false, differs: false, all: false };
    this.chosen = { opacity: 0.7, threshold: 0.1, pass: 0 };
    this.view = { zoom: 1, x: 0, y: 0 };
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.onpointerdown = (event) => this.hold(event);
    this.canvas.onpointermove = (event) => this.moved(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => (this.held = undefined);
    this.canvas.onpointerleave = () => this.read(undefined);
    this.canvas.ondblclick = (event) => this.passes && this.zoom(ZOOMED, this.at(event));
    const wheel = (event) => {
      if (!event.ctrlKey || !this.passes) return; // or else the page could not be scrolled over it
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? ZOOMED : 1 / ZOOMED, this.at(event));
    };
    this.canvas.addEventListener("wheel", wheel, { passive: false });
    this.stage.onkeydown = (event) => this.pressed(event);
    this.tools.onkeydown = (event) => event.stopPropagation(); // sliders and lists take keys that the page has, too
  }

  async show(data) {
    if (data.packed === this.data?.packed && data.image === this.data.image) return;
    this.data = data;
    this.place.ariaBusy = "true";
    this.canvas.setAttribute("aria-label", data.spoken);
    const numbers = await unpack(data.packed);
    const image = data.image ? new Image() : undefined;
    if (image) {
      image.src = data.image;
      await image.decode().catch(() => undefined);
    }
    if (this.data !== data) return; // another one came meanwhile
    const size = data.width * data.height;
    const planes = Array.from({ length: numbers.length / size }, (_, index) =>
      numbers.subarray(index * size, (index + 1) * size),
    );
    this.image = image;
    this.passes = planes.splice(0, data.passes);
    this.prediction = planes.shift();
    this.label = data.labelled ? planes.shift() : undefined;
    this.maps = data.maps.map((map) => ({ ...map, values: planes.shift() }));
    if (data.passes) this.maps.unshift(this.disagreement());
    this.drawn = {}; // what is computed when it is first seen
    this.chosen.pass = Math.min(this.chosen.pass, data.passes);
    this.chosen.map ??= data.disagreement ? this.maps[0].name : "";
    if (!(this.alone < data.classes.length)) this.alone = undefined;
    const aspect = data.width / data.height;
    this.canvas.style.aspectRatio = aspect;
    this.place.style.setProperty("--most", `calc(${HEIGHTS[data.controls]} * ${aspect})`);
    this.drawTools();
    this.play(data.plays && !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.draw();
    this.place.ariaBusy = "false";
  }

  /* Draws one pass after the other, until it is paused. */
  play(on) {
    clearInterval(this.playing);
    this.playing = on && setInterval(() => this.next(), 1000 * SECONDS);
    if (this.player) this.player.textContent = on ? "Pause" : "Play";
  }

  next() {
    if (!this.canvas.isConnected) return this.play(false);
    this.chosen.pass = (this.chosen.pass % this.data.passes) + 1;
    this.say();
    this.draw();
  }

  /* How many passes draw another class than all together, of 255. */
  disagreement() {
    const others = new Uint16Array(this.prediction.length);
    for (const pass of this.passes) {
      for (let at = 0; at < others.length; at++) others[at] += pass[at] !== this.prediction[at];
    }
    const values = Uint8Array.from(others, (count) => Math.round((255 * count) / this.passes.length));
    return { name: "Share of passes that differ", unit: "%", most: 100, values };
  }

  /* Something that is computed once for what is shown. */
  kept(name, compute) {
    return (this.drawn[name] ??= compute());
  }

  drawTools() {
    const { labelled, passes, controls, plays, classes, background } = this.data;
    const layers = { image: "Image", prediction: "Prediction", label: "Label", filled: "Filled" };
    layers.differs = "Where they differ";
    if (!this.image) delete layers.image;
    if (!labelled) ["label", "differs"].forEach((name) => delete layers[name]);
    if (passes) layers.all = `Outlines of all ${passes} passes`;
    const checks = element("div", "checks");
    checks.append(...Object.entries(layers).map(([name, words]) => this.check(name, words)));
    const zooms = element("div", "zooms");
    const buttons = { "Zoom in": ["+", ZOOMED], "Zoom out": ["−", 1 / ZOOMED], "Show all": ["⤢", 0] };
    for (const [words, [sign, by]] of Object.entries(buttons)) {
      const button = element("button", "", sign);
      button.type = "button";
      button.title = words;
      button.setAttribute("aria-label", words);
      button.onclick = () => this.zoom(by);
      zooms.append(button);
    }
    const ofMap = () => [this.chooser(), this.slider("opacity", 0, 1, 0.05), this.slider("threshold", 0, 1, 0.01)];
    const rows = {
      all: () => [checks, ...(passes ? [this.slider("pass", 0, passes, 1)] : []), ...ofMap(), zooms],
      few: () => [checks, this.slider("pass", 0, passes, 1), zooms],
      none: () => (plays ? [this.slider("pass", 0, passes, 1), this.pause()] : []),
    };
    this.tools.replaceChildren(...rows[controls]());
    const numbers = [...classes.keys()].filter((number) => number !== background);
    this.legend.replaceChildren(
      ...numbers.map((number) => this.entry(number)),
      element("li", "", labelled ? "solid: prediction, dashed: label" : "solid: prediction"),
    );
    this.say();
  }

  /* A class in the legend; a click shows it alone, and another one all of them. */
  entry(number) {
    const [name, colour] = this.data.classes[number];
    const [item, button] = [element("li", ""), element("button", "class", name)];
    button.type = "button";
    button.title = `Show ${name} alone`;
    button.style.setProperty("--colour", colour);
    const hatch = this.hatchOf(number);
    button.classList.toggle("hatched", Boolean(hatch));
    if (hatch) button.style.setProperty("--angle", hatch.angle);
    button.setAttribute("aria-pressed", this.alone === number);
    button.onclick = () => {
      this.alone = this.alone === number ? undefined : number;
      for (const other of this.legend.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", other === button && this.alone === number);
      }
      this.draw();
    };
    item.append(button);
    return item;
  }

  /* The hatch of a class whose colour, of which there are ten, one before it has. */
  hatchOf(number) {
    const { classes } = this.data;
    const before = classes.slice(0, number).filter(([, colour]) => colour === classes[number][1]).length;
    return before ? HATCHES[(before - 1) % HATCHES.length] : undefined;
  }

  isShown(number) {
    return this.alone === undefined || this.alone === number;
  }

  pause() {
    this.player = element("button", "player");
    this.player.type = "button";
    this.player.onclick = () => this.play(!this.playing);
    return this.player;
  }

  check(name, words) {
    const label = element("label", "");
    const box = element("input", "");
    Object.assign(box, { type: "checkbox", checked: this.on[name] });
    box.onchange = () => {
      this.on[name] = box.checked;
      this.draw();
    };
    label.append(box, words);
    return label;
  }

  slider(name, min, max, step) {
    const label = element("label", "slider");
    const range = element("input", "");
    Object.assign(range, { type: "range", min, max, step });
    range.value = this.chosen[name];
    label.append(element("span", name), range);
    range.oninput = () => {
      this.chosen[name] = Number(range.value);
      this.say();
      this.draw();
    };
    return label;
  }

  chooser() {
    const label = element("label", "slider");
    const select = element("select", "");
    select.append(new Option("none", ""), ...this.maps.map(({ name }) => new Option(name, name)));
    if (!this.map) this.chosen.map = "";
    select.value = this.chosen.map;
    select.onchange = () => {
      this.chosen.map = select.value;
      this.say();
      this.draw();
    };
    label.append(element("span", "", "Map over the image"), select);
    return label;
  }

  get map() {
    return this.maps.find(({ name }) => name === this.chosen.map);
  }

  /* What the sliders stand for now. */
  say() {
    const { pass, opacity, threshold } = this.chosen;
    const from = this.map ? this.format(this.map, 255 * threshold) : `${Math.round(100 * threshold)}%`;
    const words = {
      pass: pass ? `Pass ${pass} of ${this.data.passes}` : "One pass: none",
      opacity: `Opacity ${Math.round(100 * opacity)}%`,
      threshold: `Map from ${from}`,
    };
    for (const [name, text] of Object.entries(words)) {
      const place = this.tools.querySelector(`span.${name}`);
      if (!place) continue;
      place.textContent = text;
      place.nextSibling.value = this.chosen[name];
      place.nextSibling.setAttribute("aria-valuetext", text);
    }
  }

  format({ most, unit }, value) {
    const number = (most * value) / 255;
    return unit === "%" ? `${Math.round(number)}%` : `${number.toFixed(3)} ${unit}`;
  }

  draw() {
    if (!this.passes) return;
    const { width, height, crisp, passes } = this.data;
    const sharp = window.devicePixelRatio || 1;
    const wide = Math.max(1, Math.round(this.canvas.clientWidth * sharp));
    Object.assign(this.canvas, { width: wide, height: Math.max(1, Math.round((wide * height) / width)) });
    this.context = this.canvas.getContext("2d");
    this.scale = (wide / width) * this.view.zoom;
    this.thin = sharp / this.scale; // a pixel of the screen, in pixels of the map
    this.context.setTransform(this.scale, 0, 0, this.scale, -this.view.x * this.scale, -this.view.y * this.scale);
    this.context.fillStyle = "#808080";
    this.context.fillRect(0, 0, width, height);
    this.context.imageSmoothingEnabled = !crisp;
    if (this.image && this.on.image) this.context.drawImage(this.image, 0, 0, width, height);
    this.context.imageSmoothingEnabled = false;
    this.drawMap();
    const one = this.chosen.pass;
    if (this.on.filled) this.fill(one);
    if (this.label && this.on.differs) this.layer(0.55, this.kept(`differs ${this.alone}`, () => this.differences()));
    const of = (name, map) => this.kept(name, () => outlinesOf(map, this.data));
    if (this.on.all) {
      const alpha = Math.max(0.12, Math.min(1, 3 / passes));
      const thin = { alpha, width: LINE / 2, halo: 0 };
      this.passes.forEach((pass, index) => this.stroke(of(`pass ${index + 1}`, pass), thin));
    }
    if (this.label && this.on.label) this.stroke(of("label", this.label), { dash: DASH });
    const faint = one || this.on.all ? { alpha: 0.6, halo: 0 } : {};
    if (this.on.prediction) this.stroke(of("prediction", this.prediction), faint);
    if (one) this.stroke(of(`pass ${one}`, this.passes[one - 1]), { width: 1.5 * LINE });
    this.context.globalAlpha = 1;
  }

  drawMap() {
    const { map } = this;
    if (!map) return;
    const least = 255 * this.chosen.threshold;
    const name = `${map.name} ${least}`;
    if (this.drawn.map?.name !== name) {
      const colourOf = (value) => (value > 0 && value >= least ? RAMP[value] : 0);
      this.drawn.map = { name, canvas: paint(this.data, (at) => colourOf(map.values[at])) };
    }
    this.layer(this.chosen.opacity, this.drawn.map.canvas);
  }

  layer(alpha, canvas) {
    this.context.globalAlpha = alpha;
    this.context.drawImage(canvas, 0, 0);
    this.context.globalAlpha = 1;
  }

  differences() {
    const { label, prediction } = this;
    const known = this.data.classes.length;
    const isSeen = (at) => this.isShown(label[at]) || this.isShown(prediction[at]);
    return paint(this.data, (at) => (label[at] < known && label[at] !== prediction[at] && isSeen(at) ? DIFFERS : 0));
  }

  /* Fills the classes of one pass, or else of the prediction, or where that is off of the label. */
  fill(one) {
    const { width, classes, background } = this.data;
    const [name, map] = one
      ? [`pass ${one}`, this.passes[one - 1]]
      : this.on.prediction
        ? ["prediction", this.prediction]
        : ["label", this.on.label && this.label];
    if (!map) return;
    const wide = Math.max(2, Math.round(width / 64)); // pixels of the map, of a line of a hatch
    const draw = () => {
      const numbers = classes.map(([, colour]) => asNumber(partsOf(colour)));
      const hatches = classes.map((_, number) => this.hatchOf(number));
      return paint(this.data, (at) => {
        const value = map[at];
        if (value === background || value >= classes.length || !this.isShown(value)) return 0;
        const place = hatches[value]?.along(at % width, Math.floor(at / width)) ?? 0;
        return Math.floor(place / wide) % 2 ? 0 : numbers[value];
      });
    };
    this.layer(FILLED, this.kept(`filled ${name} ${this.alone}`, draw));
  }

  stroke(paths, { dash = [], alpha = 1, width = LINE, halo = HALO }) {
    const { context, thin } = this;
    context.globalAlpha = alpha;
    context.setLineDash(dash.map((length) => length * thin));
    paths.forEach((path, index) => {
      if (!this.isShown(index)) return;
      const [, colour] = this.data.classes[index];
      const below = [colour === "#000000" ? "#FFFFFF" : "#000000", width + halo];
      for (const [style, wide] of [...(halo ? [below] : []), [colour, width]]) {
        context.strokeStyle = style;
        context.lineWidth = wide * thin;
        context.stroke(path);
      }
    });
    context.setLineDash([]);
  }

  /* The place of a pointer, in pixels of the map. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const across = this.data.width / this.view.zoom / box.width;
    return [this.view.x + (event.clientX - box.left) * across, this.view.y + (event.clientY - box.top) * across];
  }

  zoom(by, [x, y] = this.middle()) {
    if (!this.passes) return;
    const zoom = by ? Math.min(MOST_ZOOM, Math.max(1, this.view.zoom * by)) : 1;
    const share = this.view.zoom / zoom; // so that the place stays where it is
    this.look(zoom, x - (x - this.view.x) * share, y - (y - this.view.y) * share);
  }

  middle() {
    const { zoom, x, y } = this.view;
    return [x + this.data.width / zoom / 2, y + this.data.height / zoom / 2];
  }

  look(zoom, x, y) {
    const { width, height } = this.data;
    const within = (value, side) => Math.min(Math.max(0, value), side - side / zoom);
    this.view = { zoom, x: within(x, width), y: within(y, height) };
    this.canvas.classList.toggle("zoomed", zoom > 1);
    this.draw();
  }

  hold(event) {
    if (!this.passes || this.view.zoom === 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.held = this.at(event);
  }

  moved(event) {
    if (!this.passes) return;
    const [x, y] = this.at(event);
    if (this.held) this.look(this.view.zoom, this.view.x + this.held[0] - x, this.view.y + this.held[1] - y);
    this.read([Math.floor(x), Math.floor(y)]);
  }

  /* The keys of the picture; arrows step to other examples where all of it is in view. */
  pressed(event) {
    if (!this.passes || event.ctrlKey || event.metaKey || event.altKey) return;
    const zooms = { "+": ZOOMED, "=": ZOOMED, "-": 1 / ZOOMED, 0: 0 };
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key in moves && this.view.zoom > 1) {
      const [x, y] = moves[event.key].map((by) => (by * MOVED * this.data.width) / this.view.zoom);
      this.look(this.view.zoom, this.view.x + x, this.view.y + y);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /* What stands at the pointer, in words. */
  read(place) {
    const { width, height, classes, passes } = this.data ?? {};
    const [x, y] = place ?? [-1, -1];
    if (!this.passes || x < 0 || y < 0 || x >= width || y >= height) {
      this.readout.textContent = "";
      return;
    }
    const at = y * width + x;
    const name = (value) => classes[value]?.[0] ?? "ignored";
    const votes = this.passes.filter((pass) => pass[at] === this.prediction[at]).length;
    const parts = [`column ${x}, row ${y}: ${name(this.prediction[at])}`];
    if (passes) parts[0] += `, in ${votes} of ${passes} passes`;
    if (this.label) parts.push(`label ${name(this.label[at])}`);
    if (this.chosen.pass) parts.push(`pass ${this.chosen.pass} ${name(this.passes[this.chosen.pass - 1][at])}`);
    if (this.map) parts.push(`${this.map.name.toLowerCase()} ${this.format(this.map, this.map.values[at])}`);
    this.readout.textContent = parts.join("; ");
  }
}

export default withLatestData(({ data, parentElement }) => {
  (parentElement.maps ??= new LabelMaps(parentElement)).show(data);
});
