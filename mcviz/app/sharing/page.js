/* The page of a run: its state is behind the # of its address, with the keys that the dashboard has. What the
   components ask for is done here, with the numbers that the page brings. */

const PAGE_SIZE = 48; // examples, of the gallery
const [CORNERS, EDGE] = [40, 6]; // of a lasso; pixels around the map
const [UNCERTAIN, CONFIDENT, SHADES] = [[177, 63, 219], [134, 143, 154], 40]; // violet and grey, as in the dashboard
const AROUND = 100; // examples before and after the one that is looked at, through which keys go
const DATA = JSON.parse(document.getElementById("data").textContent);

const $ = (id) => document.getElementById(id);
const counted = (count) => count.toLocaleString("en");
const FILTERS = ["label", "prediction", "wrong", "correct", "disagree", "range", "columns", "area"];

function make(tag, values = {}, ...parts) {
  const made = Object.assign(document.createElement(tag), values);
  made.append(...parts);
  return made;
}

async function inflate(packed) {
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at); // in a tenth of the time of `from`
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}
const numbersOf = async (packed, Kind) => new Kind(await (await inflate(packed)).arrayBuffer());
const contentOf = async (packed) => (await inflate(packed)).json();

/* A component of the dashboard in a place of the page. */
function mount(name, place, pictures) {
  const { style, render } = COMPONENTS[name];
  const root = place.attachShadow({ mode: "open" });
  const own = new CSSStyleSheet();
  own.replaceSync(style);
  root.adoptedStyleSheets = [own, pictures];
  return (data, heard) => render({ data, parentElement: root, setTriggerValue: (_, asked) => heard(asked) });
}

/* The examples of the page, by their places in it. */
class Examples {
  static async load() {
    const examples = new Examples();
    const { scores, classes } = DATA;
    const load = async (into, packed, Kind) => (into.data = await (Kind ? numbersOf(packed, Kind) : contentOf(packed)));
    const parts = { numbers: [DATA.examples, Int32Array], words: [DATA.words], names: [DATA.names], details: [DATA.details] };
    const reads = Object.entries(parts).map(async ([name, [packed, Kind]]) => {
      examples[name] = Kind ? await numbersOf(packed, Kind) : await contentOf(packed);
    });
    for (const score of Object.values(scores)) {
      reads.push(load((score.of = {}), score.values, Float32Array), load((score.in = {}), score.members, Int16Array));
      reads.push(load((score.words = {}), score.texts));
    }
    examples.filters = {};
    for (const [name, found] of Object.entries(classes)) {
      const [packed, Kind] =
        typeof found === "string" ? [found, Int8Array] : found.sets ? [found.sets, Uint8Array] : [found.numbers, Int32Array];
      reads.push(load((examples.filters[name] = { sets: Boolean(found.sets) }), packed, Kind));
    }
    examples.columns = Object.create(null); // with a column of any name
    for (const [name, { numbers, texts, members }] of Object.entries(DATA.own)) {
      const column = (examples.columns[name] = { of: {}, texts: {} });
      if (numbers ?? members) reads.push(load(column.of, numbers ?? members, numbers ? Float64Array : Int32Array));
      if (texts) reads.push(load(column.texts, texts));
    }
    if (DATA.map) reads.push(load((examples.map = {}), DATA.map.positions, Float32Array));
    await Promise.all(reads);
    examples.places = new Map(Array.from(examples.numbers, (number, place) => [number, place]));
    examples.parts = {};
    examples.orders = {};
    return examples;
  }

  /* The places in the order of a score, as the dashboard ranks them: of equal ones the first stays the first. */
  ranked(name, order) {
    const key = `${name} ${order}`;
    if (this.orders[key]) return this.orders[key];
    const sign = DATA.scores[name].low ? 1 : -1;
    const keys = DATA.scores[name].of.data.map((value) => (Number.isNaN(value) ? Infinity : sign * value));
    const ranked = Array.from(keys.keys()).sort((a, b) => keys[a] - keys[b] || a - b);
    return (this.orders[key] = order === "confident_first" ? ranked.reverse() : ranked);
  }

  has(name, place, values) {
    const { sets, data } = this.filters[name];
    const classes = DATA.class_names.length;
    return sets ? values.some((value) => data[place * classes + value]) : values.includes(data[place]);
  }

  /* The places, of these in their order, that pass the filters of a state but for one. */
  matching(state, places, without = "") {
    const tests = [];
    for (const name of ["label", "prediction", "wrong"]) {
      const values = state.classes(name);
      if (name !== without && values.length) tests.push((place) => this.has(name, place, values));
    }
    for (const [name, on] of Object.entries(state.columns)) {
      if (without !== `column ${name}`) tests.push(this.ofColumn(name, on));
    }
    const { corners } = state;
    if (corners && without !== "area") tests.push((place) => surrounded(corners, this.map.data[2 * place], this.map.data[2 * place + 1]));
    const { correct, disagree } = this.filters;
    if (correct && without !== "correct" && state.get("correct")) {
      const wanted = Number(state.get("correct") === "correct");
      tests.push((place) => correct.data[place] === wanted);
    }
    if (disagree && state.get("disagree")) tests.push((place) => disagree.data[place]);
    for (const [name, [low, high]] of Object.entries(state.ranges)) {
      const values = DATA.scores[name].of.data;
      if (name !== without) tests.push((place) => low <= values[place] && values[place] <= high);
    }
    return tests.length ? places.filter((place) => tests.every((test) => test(place))) : places;
  }

  /* What passes a filter on a column: a range of numbers, some texts, or those that contain one. */
  ofColumn(name, on) {
    const { of, texts } = this.columns[name];
    const [isPart, isOneOf] = [typeof on === "string", Array.isArray(on)];
    if (DATA.own[name].numbers) {
      return (place) => isPart || isOneOf || ((on.low ?? -Infinity) <= of.data[place] && of.data[place] <= (on.high ?? Infinity));
    }
    const part = isPart && on.toLowerCase();
    const passes = (text) => (isPart ? text.toLowerCase().includes(part) : !isOneOf || on.includes(text));
    if (!texts.data) return (place) => passes(this.texts[place]);
    const left = texts.data.map(passes);
    return (place) => left[of.data[place]];
  }

  /* Unpack the texts that examples are, if a filter looks into them. */
  async readTexts(columns) {
    if (this.texts || !Object.keys(columns).some((name) => DATA.own[name].kind === "text" && !DATA.own[name].texts)) return;
    const parts = await Promise.all(DATA.explanations.map((_, part) => this.part(part)));
    this.texts = parts.flat().map(({ text }) => text);
  }

  /* The words for the value of a score: those from the last value on that is no larger. */
  score(name, place) {
    const { of, words } = DATA.scores[name];
    const value = of.data[place];
    if (Number.isNaN(value)) return words.data.at(-1);
    let [low, high] = [0, words.data.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (words.data[middle][0] === null || words.data[middle][0] > value) high = middle - 1;
      else low = middle;
    }
    return words.data[low];
  }

  tile(place, name, rank, current) {
    const example = this.numbers[place];
    const [prediction, label, wrong, brief, whole] = this.words.different[this.words.examples[place]];
    const [, value, inWhole] = this.score(name, place);
    const { inline, suspect } = DATA.scores[name];
    const by = `${rank ? `#${counted(rank)} by ` : ""}${inline}: ${inWhole}`;
    const facts = (this.details.facts[place] ?? []).map((fact) => fact.join(": "));
    const first = whole && whole[0].toUpperCase() + whole.slice(1);
    const perSheet = DATA.columns * DATA.rows;
    return {
      example,
      current,
      name: this.names ? this.names[place] : `example ${example}`,
      prediction,
      label,
      brief,
      wrong: wrong && !suspect,
      value,
      marks: { flag: state.flagged.includes(example) },
      hover: [first, by, ...facts].filter(Boolean).join("\n"),
      ...(DATA.sheets.length ? { sheet: `sheet-${Math.floor(place / perSheet)}`, place: place % perSheet } : {}),
      ...this.details.tiles[place],
    };
  }

  tiles(places, name, first, current) {
    const tiles = places.map((place, index) => this.tile(place, name, first && first + index, this.numbers[place] === current));
    return { tiles, ...sheetForm() };
  }

  part(part) {
    return (this.parts[part] ??= contentOf(DATA.explanations[part]));
  }

  async explanation(place) {
    return (await this.part(Math.floor(place / DATA.together)))[place % DATA.together];
  }
}

/* Whether a point is inside a closed polygon, by the even-odd rule. */
function surrounded(corners, x, y) {
  let inside = false;
  corners.forEach(([x1, y1], at) => {
    const [x0, y0] = corners.at(at - 1);
    if (y0 > y !== y1 > y) inside = inside !== ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0) > 0 === y1 > y0);
  });
  return inside;
}

const sheetForm = () => ({ columns: DATA.columns, rows: DATA.rows, aspect: DATA.aspect, crisp: DATA.crisp });

/* What the page shows: all of it stands in the address. */
class State {
  constructor(address) {
    const [page, query] = address.replace(/^#\/?/, "").split("?");
    this.page = $(page)?.matches("main > section") ? page : "overview";
    this.query = new URLSearchParams(query ?? (address ? "" : DATA.start));
  }

  get(name) {
    return this.query.get(name) ?? "";
  }

  get score() {
    return Object.hasOwn(DATA.scores, this.get("score")) ? this.get("score") : DATA.first_score;
  }

  get order() {
    return this.get("order") === "confident_first" ? "confident_first" : "uncertain_first";
  }

  get example() {
    return this.get("example") === "" ? undefined : Number(this.get("example"));
  }

  get flagged() {
    return this.get("flagged").split(",").filter(Boolean).map(Number);
  }

  classes(name) {
    if (!examples.filters[name]) return [];
    return this.get(name).split(",").filter(Boolean).map(Number);
  }

  get ranges() {
    const found = {};
    for (const part of this.get("range").split("~").filter(Boolean)) {
      const [name, low, high] = part.split(":");
      if (Object.hasOwn(DATA.scores, name)) found[name] = [low ? Number(low) : -Infinity, high ? Number(high) : Infinity];
    }
    return found;
  }

  /* Filters on the user's own columns, as the dashboard writes them. */
  get columns() {
    try {
      const found = Object.entries(JSON.parse(this.get("columns")));
      return Object.fromEntries(found.filter(([name, on]) => name in examples.columns && on && typeof on !== "number"));
    } catch {
      return {};
    }
  }

  withColumn(name, on) {
    const { [name]: before, ...others } = this.columns;
    return Object.keys(others).length || on ? JSON.stringify(on ? { ...others, [name]: on } : others) : "";
  }

  /* Those of a lasso on the map. */
  get corners() {
    const [layout, written] = this.get("area").split(":");
    const values = (written ?? "").split(",").map(Number);
    if (layout !== DATA.map?.layout || values.length < 6 || values.length % 2 || !values.every(Number.isFinite)) return undefined;
    return values.flatMap((x, at) => (at % 2 ? [] : [[x, values[at + 1]]]));
  }

  /* The address with other values; other examples are listed from their first page on. */
  with(changes, page = this.page) {
    const query = new URLSearchParams(this.query);
    if (!("page" in changes) && Object.keys(changes).some((name) => !["example", "flagged"].includes(name))) query.delete("page");
    for (const [name, value] of Object.entries(changes)) value === "" ? query.delete(name) : query.set(name, value);
    return `#/${page}${query.size ? `?${query}` : ""}`;
  }
}

/* The decisions of a reader: kept by this browser under the examples that they are about, until they are saved as a file. */
class Decisions {
  static async load() {
    const decisions = new Decisions();
    decisions.key = `mcviz ${DATA.review.examples_sha256}`;
    decisions.answers = await contentOf(DATA.review.answers);
    const kept = { name: "", made: {} };
    try {
      Object.assign(kept, JSON.parse(localStorage.getItem(decisions.key)));
      localStorage.setItem(decisions.key, JSON.stringify(kept));
    } catch {
      decisions.lost = true;
    }
    Object.assign(decisions, kept, { saved: true });
    return decisions;
  }

  get count() {
    return Object.keys(this.made).length;
  }

  at(place) {
    return this.answers.different[this.answers.examples[place]];
  }

  /* Keep an answer to an example or a note on it; an answer that is given again is taken back. */
  put(place, change) {
    const example = examples.numbers[place];
    const made = { example, label: this.at(place).label, ...this.made[example], ...change };
    if (made.kind || made.note) this.made[example] = made;
    else delete this.made[example];
    this.saved = false;
    this.keep();
  }

  keep() {
    if (!this.lost) localStorage.setItem(this.key, JSON.stringify({ name: this.name, made: this.made }));
  }

  /* The file: also an example that is flagged is one that somebody looked at. */
  file() {
    const flagged = state.flagged.filter((example) => examples.places.has(example) && !this.made[example]?.kind);
    const skipped = flagged.map((example) => ({ ...this.made[example], example, kind: "skip" }));
    const others = Object.values(this.made).filter(({ example }) => !flagged.includes(example));
    const content = { examples_sha256: DATA.review.examples_sha256, reviewer: this.name, decisions: [...others, ...skipped] };
    return new Blob([JSON.stringify({ ...content, format: 1 }, undefined, 1)], { type: "application/json" });
  }
}

let examples, state, decisions;
const render = {}; // the components, by their places

/* A look takes the place of the one before in the browser's history; all else is a step in it. */
function go(changes, page) {
  const address = state.with(changes, page);
  if (address === location.hash) return;
  const isLook = state.page === (page ?? state.page) && Object.keys(changes).every((name) => name === "example");
  history[isLook ? "replaceState" : "pushState"](null, "", address);
  show(isLook);
}

function write(name, range) {
  const ranges = { ...state.ranges, [name]: range };
  if (!range) delete ranges[name];
  const end = (value) => (Number.isFinite(value) ? String(value) : "");
  return Object.entries(ranges).map(([of, ends]) => `${of}:${ends.map(end).join(":")}`).join("~");
}

const matchingNow = () => examples.matching(state, examples.ranked(state.score, state.order));

async function show(isLook) {
  const shown = (state = new State(location.hash));
  await examples.readTexts(state.columns);
  if (shown !== state) return; // something else was asked meanwhile
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== state.page;
  for (const link of document.querySelectorAll("header nav a")) {
    const page = link.hash.slice(2).split("?")[0];
    link.href = state.with({}, page);
    if (page === state.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const matching = matchingNow();
  if (!isLook) {
    showRail();
    showGallery(matching);
    if (state.page === "present") showSlide();
  }
  showLook(matching);
  render.plane?.draw();
}

/* The filters, each choice with how many examples it leaves. */
function showRail() {
  const { score, order } = state;
  $("rank").value = `${score} ${order}`;
  $("meaning").textContent = DATA.scores[score].meaning;
  showBrush(score);
  const all = examples.ranked(score, order);
  for (const name of ["label", "prediction", "wrong"]) {
    const select = $(name);
    if (!select) continue;
    const left = examples.matching(state, all, name);
    const counts = countClasses(name, left);
    const chosen = state.classes(name);
    for (const option of select.options) {
      if (option.value !== "") option.textContent = `${DATA.class_names[option.value]} (${counted(counts[option.value])})`;
    }
    select.value = chosen.length === 1 ? chosen[0] : "";
    select.options[0].textContent = chosen.length > 1 ? `any of ${chosen.length}` : "any";
  }
  if (examples.filters.correct) {
    const left = examples.matching(state, all, "correct");
    for (const button of $("correct").children) {
      const { value } = button.dataset;
      const count = left.filter((place) => !value || examples.filters.correct.data[place] === (value === "correct" ? 1 : 0)).length;
      button.querySelector("span").textContent = counted(count);
      button.setAttribute("aria-pressed", state.get("correct") === value);
    }
  }
  if (examples.filters.disagree) $("disagree").checked = state.get("disagree") === "1";
  for (const showColumn of columnControls) showColumn(all);
  $("columns").parentElement.open ||= Object.keys(state.columns).length > 0;
}

function countClasses(name, places) {
  const { sets, data } = examples.filters[name];
  const classes = DATA.class_names.length;
  const counts = Array(classes).fill(0);
  for (const place of places) {
    if (!sets) counts[data[place]]++;
    else for (let value = 0; value < classes; value++) counts[value] += data[place * classes + value];
  }
  return counts;
}

function showBrush(name) {
  const score = DATA.scores[name];
  const { edges } = score;
  const bins = score.bins.map((words, at) => ({ name: words, all: score.all[at], left: 0, wrong: 0 }));
  const wrong = examples.filters.correct?.data;
  for (const place of examples.matching(state, examples.ranked(name, "uncertain_first"), name)) {
    const bin = bins[score.in.data[place]];
    if (!bin) continue; // its value is no number
    bin.left++;
    bin.wrong += wrong?.[place] === 0;
  }
  const range = state.ranges[name];
  const at = (value) => {
    const after = edges.findIndex((edge) => edge >= value);
    if (after <= 0) return after ? edges.length - 1 : 0;
    return after - (edges[after] - value) / (edges[after] - edges[after - 1]);
  };
  const { label, scale, marked, suspect } = score;
  const data = { label, bins, places: range ? [range.map(at)] : [], scale, marked, suspect, removable: false };
  render.brush(data, ({ what, first, last }) => {
    if (what === "clear") return go({ range: write(name) });
    const low = first > 0 ? edges[first] : -Infinity;
    const high = last < bins.length - 1 ? edges[last + 1] : Infinity;
    const all = low === -Infinity && high === Infinity;
    go({ range: write(name, all ? undefined : [low, high]) });
  });
}

function showGallery(matching) {
  const pages = Math.max(1, Math.ceil(matching.length / PAGE_SIZE));
  const page = Math.min(pages, Math.max(1, Number(state.get("page")) || 1));
  const start = (page - 1) * PAGE_SIZE;
  const within = examples.numbers.length < DATA.count ? ` in this file of ${counted(DATA.count)}` : "";
  const all = examples.numbers.length;
  $("matching").textContent =
    matching.length === all ? `${counted(all)} examples${within}` : `${counted(matching.length)} of the ${counted(all)} examples${within || ""}`;
  $("none").hidden = matching.length > 0;
  $("reset").disabled = !FILTERS.some((name) => state.get(name));
  const isMap = Boolean(DATA.map) && state.get("view") === "map";
  for (const button of $("views").children) button.setAttribute("aria-pressed", (button.value === "map") === isMap);
  [$("gallery").hidden, $("plane").hidden] = [isMap, !isMap];
  $("pages").hidden = pages === 1 || isMap;
  $("page").textContent = `Page ${counted(page)} of ${counted(pages)}`;
  $("before").disabled = page === 1;
  $("after").disabled = page === pages;
  $("before").onclick = () => turn(page - 1);
  $("after").onclick = () => turn(page + 1);
  const tiles = examples.tiles(matching.slice(start, start + PAGE_SIZE), state.score, start + 1, state.example);
  render.gallery({ ...tiles, looks: true, size: DATA.size }, () => undefined);
}

/* The map: what the other filters leave, the more violet the more uncertain; a lasso chooses, a press looks at the nearest. */
class Plane {
  constructor(canvas) {
    this.canvas = canvas;
    this.axes = [0, 1].map((axis) => {
      const values = examples.map.data.filter((value, at) => at % 2 === axis && Number.isFinite(value)).sort();
      const [start, end] = axis ? [values.at(-1), values[0]] : [values[0], values.at(-1)]; // up is more
      return [start, end - start || 1];
    });
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drawn = [[event.offsetX, event.offsetY]];
    };
    canvas.onpointermove = (event) => this.drawn?.push([event.offsetX, event.offsetY]) && this.draw();
    canvas.onpointerup = () => this.finish();
    canvas.onpointercancel = () => (this.drawn = undefined);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  pixel(point) {
    return this.axes.map(([start, span], axis) => EDGE + ((this.sides[axis] - 2 * EDGE) * (point[axis] - start)) / span);
  }

  point(pixel) {
    return this.axes.map(([start, span], axis) => start + (span * (pixel[axis] - EDGE)) / (this.sides[axis] - 2 * EDGE));
  }

  draw() {
    const { canvas } = this;
    this.sides = [canvas.clientWidth, canvas.clientHeight];
    if (!canvas.clientWidth) return;
    const others = examples.matching(state, examples.ranked(state.score, "uncertain_first"), "area");
    this.shown = others.filter((place) => Number.isFinite(examples.map.data[2 * place]));
    this.pixels = this.shown.map((place) => this.pixel(examples.map.data.subarray(2 * place)));
    [canvas.width, canvas.height] = this.sides.map((side) => side * devicePixelRatio);
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    const size = this.shown.length > 2000 ? 3 : 6;
    const values = this.shown.map((place) => DATA.scores[state.score].of.data[place]);
    const last = values.findLast((value) => !Number.isNaN(value));
    let before;
    for (let at = values.length - 1; at >= 0; at--) { // the most uncertain are drawn last
      const share = Math.round((SHADES * (values[at] - last)) / (values[0] - last) || 0) / SHADES;
      const colour = CONFIDENT.map((grey, part) => grey + share * (UNCERTAIN[part] - grey));
      if (share !== before) pen.fillStyle = `rgb(${colour.join(" ")} / ${0.4 + 0.6 * share})`; // which takes long
      before = share;
      pen.fillRect(this.pixels[at][0] - size / 2, this.pixels[at][1] - size / 2, size, size);
    }
    pen.strokeStyle = getComputedStyle(canvas).color;
    const outline = this.drawn ?? state.corners?.map((corner) => this.pixel(corner));
    if (outline) pen.stroke(new Path2D(`M${outline.join("L")}Z`));
    const [x, y] = this.pixels[this.shown.indexOf(showLook.latest)] ?? [];
    if (x) pen.strokeRect(x - EDGE, y - EDGE, 2 * EDGE, 2 * EDGE);
  }

  finish() {
    const [drawn, [left, top]] = [this.drawn, this.drawn[0]];
    const distances = ([x, y]) => Math.hypot(x - left, y - top);
    this.drawn = undefined;
    if (drawn.some((pixel) => distances(pixel) > EDGE)) {
      const corners = drawn.filter((_, at) => at % Math.ceil(drawn.length / CORNERS) === 0).flatMap((pixel) => this.point(pixel));
      go({ area: corners.length < 6 ? "" : `${DATA.map.layout}:${corners.map((value) => Number(value.toPrecision(8)))}` });
    } else {
      const nearest = this.shown.reduce((best, _, at) => (distances(this.pixels[at]) < distances(this.pixels[best]) ? at : best), 0);
      if (this.shown.length) look(examples.numbers[this.shown[nearest]], matchingNow());
    }
  }
}

function turn(page) {
  go({ page: page === 1 ? "" : String(page) });
  $("explore").scrollIntoView();
}

/* The story, a slide at a time, as on the dashboard's page Present. */
async function showSlide() {
  const slides = [...document.querySelectorAll(".slide")];
  const at = Math.min(slides.length, Math.max(1, Number(state.get("step")) || 1));
  slides.forEach((slide, place) => (slide.hidden = place !== at - 1));
  $("step").textContent = `${at} of ${slides.length}`;
  for (const [id, to] of [["back", at - 1], ["next", at + 1]]) {
    $(id).disabled = to < 1 || to > slides.length;
    $(id).onclick = () => go({ step: to === 1 ? "" : String(to) });
  }
  const place = slides[at - 1].querySelector("[data-passes]");
  const example = examples.places.get(Number(place?.dataset.passes));
  if (example === undefined || place.shadowRoot) return;
  const { maps, histograms } = await examples.explanation(example);
  if (!place.shadowRoot) mount(maps ? "maps" : "passes", place, new CSSStyleSheet())(maps ?? histograms, () => undefined);
}

/* Keys are of the look, or turn slides. */
function pressed(event) {
  if (state.page === "explore" || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("[data-passes]")) return;
  event.stopPropagation();
  const id = { ArrowRight: "next", PageDown: "next", " ": "next", ArrowLeft: "back", PageUp: "back" }[event.key];
  if (state.page !== "present" || !id || (event.key === " " && event.target.closest("button, a"))) return;
  event.preventDefault();
  $(id).click();
}

async function showLook(matching) {
  const place = state.example === undefined ? matching[0] : examples.places.get(state.example);
  const heard = ({ what, example }) => {
    if (what === "look") look(example, matching);
    if (what === "close") go({ example: "" });
    if (what === "flag") flag(example);
  };
  showLook.latest = place;
  if (place === undefined) return render.look({ near: [] }, heard);
  const explanation = await examples.explanation(place);
  if (showLook.latest !== place) return; // another one came meanwhile
  const at = matching.indexOf(place);
  const near = matching.slice(Math.max(0, at - AROUND), Math.max(0, at) + AROUND + 1);
  render.look(
    {
      tile: { ...examples.tile(place, state.score, at + 1, true), ...(explanation.maps ? { sheet: "" } : {}) },
      ...sheetForm(),
      text: explanation.text,
      explanation,
      alone: true,
      rank: at < 0 ? "does not match" : `${counted(at + 1)} of ${counted(matching.length)}`,
      near: near.map((other) => examples.numbers[other]),
      chosen: state.example !== undefined,
      opens: false,
    },
    heard,
  );
  if (decisions) showDecision(place);
  $("maps").hidden = !explanation.maps;
  if (explanation.maps) render.maps(explanation.maps, () => undefined);
  showRow(explanation.row);
}

/* The gallery turns over to the example. */
function look(example, matching) {
  const at = matching.indexOf(examples.places.get(example));
  const page = Math.floor(at / PAGE_SIZE) + 1;
  const turned = at >= 0 && page !== (Number(state.get("page")) || 1);
  go({ example: String(example), ...(turned ? { page: page === 1 ? "" : String(page) } : {}) });
}

function showRow(row) {
  const cell = (text, at) => make(at ? "td" : "th", {}, text);
  $("row").replaceChildren(...(row ?? []).map((cells) => make("tr", {}, ...cells.map(cell))));
}

function flag(example) {
  const others = state.flagged.filter((other) => other !== example);
  go({ flagged: (others.length < state.flagged.length ? others : [...others, example]).join(",") });
}

function showDecision(place) {
  const made = decisions.made[examples.numbers[place]] ?? {};
  const isMade = (kind, name) => made.kind === kind && (made.class_name ?? null) === name;
  const answer = (kind, name) => {
    decisions.put(place, isMade(kind, name) ? { kind: null, class_name: null } : { kind, class_name: name });
    showDecision(place);
  };
  $("answers").replaceChildren(
    ...decisions.at(place).offered.map(([words, kind, name]) => {
      const button = make("button", { type: "button", onclick: () => answer(kind, name) }, words);
      button.setAttribute("aria-pressed", isMade(kind, name));
      return button;
    }),
  );
  const offered = decisions.at(place).offered.some(([, kind, name]) => isMade(kind, name));
  $("class").value = made.kind === "class" && !offered ? made.class_name : "";
  $("class").onchange = () => $("class").value && answer("class", $("class").value);
  $("note").value = made.note ?? "";
  $("note").onchange = () => {
    decisions.put(place, { note: $("note").value.trim() });
    showDecision(place);
  };
  $("save").textContent = `Save ${counted(decisions.count)} decision${decisions.count === 1 ? "" : "s"}`;
  $("save").disabled = !decisions.count && !state.flagged.length;
  $("kept").textContent = decisions.lost ? "This browser keeps nothing: save before you leave." : "";
}

function makeDecide() {
  $("another").hidden = !DATA.review.options.length;
  $("class").append(new Option("none chosen", ""), ...DATA.review.options.map((name) => new Option(name)));
  $("reviewer").value = decisions.name;
  $("reviewer").oninput = () => {
    decisions.name = $("reviewer").value.trim();
    decisions.keep();
  };
  $("reviewer").required = true;
  $("decide").onsubmit = (event) => {
    event.preventDefault();
    const link = make("a", { download: "decisions.json", href: URL.createObjectURL(decisions.file()) });
    link.click();
    URL.revokeObjectURL(link.href);
    decisions.saved = true;
  };
  addEventListener("beforeunload", (event) => decisions.saved || event.preventDefault());
}

const columnControls = []; // each shows what is on

/* A filter on each of the user's own columns: one of few values, a range, or a part of a text. */
function makeColumns() {
  const words = { number: ["from", "to"], category: ["any"], text: ["contains"] };
  for (const [name, { label, kind }] of Object.entries(DATA.own)) {
    const { texts, of } = examples.columns[name];
    const values = kind === "category" ? [...texts.data].sort() : [];
    const read = {
      number: ([low, high]) => ({ ...(low && { low: Number(low) }), ...(high && { high: Number(high) }) }),
      category: ([at]) => at && [values[at]],
      text: ([part]) => part.trim(),
    }[kind];
    const fields = words[kind].map((word) => {
      const field = make(kind === "category" ? "select" : "input", { ariaLabel: `${label}: ${word}` });
      if (kind !== "category") Object.assign(field, { type: kind === "number" ? "number" : "search", step: "any", placeholder: word });
      field.append(...(kind === "category" ? [new Option("any", ""), ...values.map((value, at) => new Option(value, at))] : []));
      field.onchange = () => {
        const on = read(fields.map(({ value }) => value));
        go({ columns: state.withColumn(name, Object.keys(on).length ? on : undefined) });
      };
      return field;
    });
    $("columns").append(make("div", { className: "column" }, make("span", {}, label), ...fields));
    columnControls.push((all) => {
      const on = state.columns[name];
      if (kind === "number") return fields.forEach((field, end) => (field.value = on?.[end ? "high" : "low"] ?? ""));
      if (kind === "text") return (fields[0].value = typeof on === "string" ? on : "");
      const counts = Array(values.length).fill(0);
      for (const place of examples.matching(state, all, `column ${name}`)) counts[of.data[place]]++;
      const count = new Map(texts.data.map((text, at) => [text, counts[at]]));
      values.forEach((value, at) => (fields[0].options[at + 1].textContent = `${value} (${counted(count.get(value))})`));
      fields[0].value = on?.length === 1 ? values.indexOf(on[0]) : "";
      fields[0].options[0].textContent = on?.length > 1 ? `any of ${on.length}` : "any";
    });
  }
}

/* The filters that words mean to the dashboard: a class, two as in "cat as dog", right or wrong, or a part of ids or texts. */
async function filtersOf(words) {
  const lower = words.toLowerCase();
  if (DATA.find.classes && ["correct", "wrong"].includes(lower)) return { correct: lower };
  const named = ` ${words} `.split(/\sas\s(.*)/is).slice(0, 2).map((name) => name.trim());
  const places = named.map((name) => {
    const at = DATA.class_names.lastIndexOf(name);
    return at < 0 ? DATA.class_names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) : at;
  });
  if (DATA.find.classes && named.some(Boolean) && named.every((name, at) => !name || places[at] >= 0)) {
    return Object.fromEntries(["label", "prediction"].flatMap((name, at) => (named[at] ? [[name, String(places[at])]] : [])));
  }
  for (const name of DATA.find.columns) {
    await examples.readTexts({ [name]: words });
    const test = examples.ofColumn(name, words);
    if (examples.numbers.some((_, place) => test(place))) return { columns: state.withColumn(name, words) };
  }
}

/* Narrow by words, or look at the example of a number or an id. */
async function find(words) {
  const wanted = words.replace(/^#/, "");
  const changes = wanted === words && (await filtersOf(words));
  const place = (/^\d+$/.test(wanted) ? examples.places.get(Number(wanted)) : undefined) ?? examples.names?.indexOf(wanted) ?? -1;
  const isFound = changes || place >= 0;
  if (isFound) $("find").value = "";
  $("found").textContent = isFound ? "" : `Nothing here is called or contains “${words}”.`;
  if (changes) go(changes);
  else if (place >= 0) look(examples.numbers[place], matchingNow());
}

/* Controls of which only the names of choices are not known before. */
function makeControls() {
  for (const [score, order, label] of DATA.rankings) $("rank").append(new Option(label, `${score} ${order}`));
  $("rank").onchange = () => {
    const [score, order] = $("rank").value.split(" ");
    go({ score, order: order === "uncertain_first" ? "" : order });
  };
  for (const name of ["label", "prediction", "wrong"]) {
    if (!$(name)) continue;
    $(name).append(new Option("any", ""), ...DATA.class_names.map((words, at) => new Option(words, at)));
    $(name).onchange = () => go({ [name]: $(name).value });
  }
  for (const button of $("correct")?.children ?? []) button.onclick = () => go({ correct: button.dataset.value });
  if ($("disagree")) $("disagree").onchange = () => go({ disagree: $("disagree").checked ? "1" : "" });
  $("reset").onclick = () => go(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  $("find").onchange = () => $("find").value.trim() && find($("find").value.trim());
  makeColumns();
  for (const button of $("views").children) button.onclick = () => go({ view: button.value });
  if (DATA.map) render.plane = new Plane($("plane").querySelector("canvas"));
  for (const link of document.querySelectorAll("a[data-query]")) link.href = `#/explore?${link.dataset.query}`;
}

async function open() {
  examples = await Examples.load();
  const pictures = new CSSStyleSheet(); // each sheet is there once, however many tiles show it
  const rules = DATA.sheets.map((sheet, at) => `.sheet-${at}{background-image:url(${sheet})}`);
  pictures.replaceSync(rules.join("\n"));
  DATA.sheets = rules.map((_, at) => at);
  state = new State(location.hash);
  for (const place of ["gallery", "look", "brush", "maps"]) render[place] = mount(place, $(place), pictures);
  for (const place of document.querySelectorAll("[data-tiles]")) {
    const list = JSON.parse(place.dataset.tiles).map((example) => examples.places.get(example));
    const found = list.filter((at) => at !== undefined);
    const tiles = examples.tiles(found, place.dataset.score, 1);
    mount("gallery", place, pictures)({ ...tiles, looks: false, size: place.dataset.size }, (example) =>
      go({ example: String(example), score: place.dataset.score, order: "" }, "explore"),
    );
  }
  makeControls();
  if (DATA.review) {
    decisions = await Decisions.load();
    makeDecide();
  }
  const rail = document.querySelector(".rail");
  const narrow = matchMedia("(max-width: 760px)"); // where the filters are opened over the examples
  narrow.onchange = () => (rail.open = !narrow.matches);
  narrow.onchange();
  show(false);
  addEventListener("popstate", () => show(false));
  addEventListener("keydown", pressed, true);
  document.documentElement.dataset.opened = Math.round(performance.now()); // milliseconds
}

document.documentElement.classList.add("script");
open();
