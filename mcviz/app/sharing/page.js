/* The page of a run: its state is behind the # of its address, with the keys that the dashboard has. What the
   components ask for is done here, with the numbers that the page brings. */

const PAGE_SIZE = 48; // examples, of the gallery
const AROUND = 100; // examples before and after the one that is looked at, through which keys go
const DATA = JSON.parse(document.getElementById("data").textContent);

const $ = (id) => document.getElementById(id);
const counted = (count) => count.toLocaleString("en");

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

  async explanation(place) {
    const part = Math.floor(place / DATA.together);
    this.parts[part] ??= contentOf(DATA.explanations[part]);
    return (await this.parts[part])[place % DATA.together];
  }
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

function show(isLook) {
  state = new State(location.hash);
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== state.page;
  for (const link of document.querySelectorAll("header nav a")) {
    const page = link.hash.slice(2).split("?")[0];
    link.href = state.with({}, page);
    if (page === state.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const all = examples.ranked(state.score, state.order);
  const matching = examples.matching(state, all);
  if (!isLook) {
    showRail();
    showGallery(matching);
  }
  showLook(matching);
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
  $("reset").disabled = !["label", "prediction", "wrong", "correct", "disagree", "range"].some((name) => state.get(name));
  $("pages").hidden = pages === 1;
  $("page").textContent = `Page ${counted(page)} of ${counted(pages)}`;
  $("before").disabled = page === 1;
  $("after").disabled = page === pages;
  $("before").onclick = () => turn(page - 1);
  $("after").onclick = () => turn(page + 1);
  const tiles = examples.tiles(matching.slice(start, start + PAGE_SIZE), state.score, start + 1, state.example);
  render.gallery({ ...tiles, looks: true, size: DATA.size }, () => undefined);
}

function turn(page) {
  go({ page: page === 1 ? "" : String(page) });
  $("explore").scrollIntoView();
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
  $("row").replaceChildren(
    ...(row ?? []).map((cells) => {
      const line = document.createElement("tr");
      line.append(...cells.map((text, at) => Object.assign(document.createElement(at ? "td" : "th"), { textContent: text })));
      return line;
    }),
  );
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
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
      button.setAttribute("aria-pressed", isMade(kind, name));
      button.onclick = () => answer(kind, name);
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
    const link = Object.assign(document.createElement("a"), { download: "decisions.json", href: URL.createObjectURL(decisions.file()) });
    link.click();
    URL.revokeObjectURL(link.href);
    decisions.saved = true;
  };
  addEventListener("beforeunload", (event) => decisions.saved || event.preventDefault());
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
  $("reset").onclick = () => go({ label: "", prediction: "", wrong: "", correct: "", disagree: "", range: "" });
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
  document.documentElement.dataset.opened = Math.round(performance.now()); // milliseconds
}

document.documentElement.classList.add("script");
open();
