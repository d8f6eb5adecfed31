const PATIENCE = 3000; // milliseconds, in which the server should have answered what was asked last
const HIGHEST = 180; // pixels, of a text
const WORDS = { open: "Open its page, key Enter", close: "Close", previous: "Previous, key ←", next: "Next, key →" };
const PATHS = {
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  close: "M6 6l12 12M18 6L6 18",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
};

function buttonOf(name) {
  return iconButton(name, WORDS[name], WORDS[name].split(", ")[0], PATHS[name]);
}

class Look {
  constructor(root) {
    this.panel = root.host.closest(".st-key-look");
    this.place = element("div", "look");
    this.shown = element("div", "shown"); // the example, and beside it what is said of it
    this.words = element("div", "explanation");
    this.acts = Object.fromEntries(Object.keys(ACTS).map((name) => [name, actOf(name, "")]));
    const buttons = Object.fromEntries(Object.keys(WORDS).map((name) => [name, buttonOf(name)]));
    this.which = element("b", "which");
    this.rank = element("span", "of");
    const title = element("div", "title");
    title.append(this.which, this.rank);
    const bar = element("div", "bar");
    const { previous, next, open, close } = buttons;
    bar.append(title, previous, next, ...Object.values(this.acts), open, close);
    this.said = element("div", "said");
    this.said.setAttribute("role", "status");
    this.place.append(bar, this.shown, this.said);
    root.append(this.place);
    this.sender = new Sender();
    for (const [name, act] of Object.entries(this.acts)) act.onclick = () => this.act(name, this.example);
    buttons.open.onclick = () => this.act("open", this.example);
    buttons.close.onclick = () => this.close();
    buttons.previous.onclick = () => this.step(-1);
    buttons.next.onclick = () => this.step(1);
    this.buttons = buttons;
  }

  get example() {
    return this.wanted ?? this.data.tile?.example;
  }

  show(data) {
    this.data = data;
    this.panel.dataset.empty = String(!data.tile);
    this.buttons.open.hidden = data.opens === false;
    if (!data.tile) return;
    const behind = this.wanted !== undefined && this.wanted !== data.tile.example;
    if (behind && performance.now() < this.until) return; // the answer to an earlier step
    this.wanted = undefined;
    this.panel.dataset.chosen = String(data.chosen);
    delete this.panel.dataset.waiting;
    this.at = data.near.indexOf(data.tile.example);
    this.draw(data.tile, data.alone ? this.contents(data) : undefined);
    this.explain(data.explanation);
    this.rank.textContent = data.rank;
    this.ends();
    document.dispatchEvent(new CustomEvent("mcviz-looked", { detail: { example: data.tile.example } }));
    this.follow();
  }

  /* The picture as the server made it, or all of a text. */
  contents(data) {
    const { tile, sheet, text, aspect, crisp } = data;
    if (tile.sheet) return this.picture(0, tile, data);
    if (text) return textBoxOf({ text, spoken: `Example ${tile.example}`, height: HIGHEST });
    if (!sheet) return undefined;
    const picture = element("img", crisp ? "large crisp" : "large");
    picture.src = sheet;
    picture.alt = `Example ${tile.example}`;
    picture.style.aspectRatio = aspect;
    return picture;
  }

  /* The picture of a tile, larger. */
  picture(index, tile, data) {
    const picture = pictureOf(index, tile, data);
    picture.style.maxWidth = `${HIGHEST * data.aspect}px`;
    picture.classList.add("large");
    return picture;
  }

  draw(tile, contents) {
    this.which.textContent = tile.name;
    this.which.classList.toggle("by-number", tile.name === `example ${tile.example}`); // an id keeps its letters
    this.shown.replaceChildren(...(contents ? [contents] : []), this.words);
    for (const [name, act] of Object.entries(this.acts)) {
      act.setAttribute("aria-label", `${ACTS[name].words} example ${tile.example}`);
      act.disabled = name === "pin" && !tile.marks.pin && this.data.pinsFull;
      act.setAttribute("aria-pressed", tile.marks[name]);
    }
  }

  /* Nothing is said of several side by side. */
  explain({ sentences = [], histograms } = {}) {
    this.words.classList.remove("waiting");
    this.words.replaceChildren(...sentencesOf(sentences), ...(histograms ? [stripsOf(histograms)] : []));
  }

  /* What is said is of the example before, unless its own came ahead. */
  cameAhead({ example, explanation }) {
    if (example === this.example) this.explain(explanation);
  }

  /* Show another example: what the page has of it at once, all else when the server answers. */
  look(example, focus) {
    this.wanted = example;
    this.until = performance.now() + PATIENCE;
    this.at = this.data.near.indexOf(example);
    this.panel.dataset.empty = "false";
    this.panel.dataset.chosen = "true";
    this.panel.dataset.waiting = "true";
    this.rank.textContent = "";
    this.words.classList.add("waiting");
    this.ends();
    const draw = (tile, index, data) => {
      const picture = data.sheet || tile.sheet ? this.picture(index, tile, data) : undefined;
      this.draw(tile, picture ?? (tile.text !== undefined ? wordsOf(tile) : undefined));
      this.said.textContent = `${tile.name}, predicted ${tile.prediction}${tile.wrong ? ", wrong" : ""}`;
    };
    document.dispatchEvent(new CustomEvent("mcviz-looked", { detail: { example, draw, focus } }));
    this.ask({ what: "look", example });
  }

  /* A link to another page leads to the example that is shown: it waits until the server has heard of the look. */
  clicked(event) {
    const link = event.target instanceof Element && event.target.closest(LINKS);
    const waits = this.wanted !== undefined && performance.now() < this.until;
    if (!link || !waits || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.link = link;
    setTimeout(() => this.follow(), PATIENCE);
  }

  follow() {
    const link = this.link;
    this.link = undefined;
    link?.click();
  }

  ends() {
    this.buttons.previous.disabled = this.at === 0 || !this.data.near.length;
    this.buttons.next.disabled = this.at === this.data.near.length - 1;
  }

  step(by) {
    const to = this.at < 0 ? 0 : this.at + by;
    if (this.data.near[to] !== undefined) this.look(this.data.near[to], true);
  }

  act(what, example) {
    this.ask({ what, example });
  }

  ask(asked) {
    this.sender.add(asked);
  }

  close() {
    this.panel.dataset.chosen = "false";
    this.ask({ what: "close", example: this.example });
  }

  asked({ what, ...asked }) {
    if (what === "look") this.look(asked.example);
    else this.ask({ what, ...asked });
  }

  pressed(event) {
    const target = event.composedPath()[0];
    const keeps = `${FIELDS}, ${TAKES_KEYS}, [role=radio], [role=slider], [role=tab], [role=dialog], [role=listbox]`;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!(target instanceof Element) || target.closest(keeps)) return;
    const tile = target.closest(".tile");
    const example = tile ? Number(tile.dataset.example) : this.example;
    const act = Object.keys(ACTS).find((name) => ACTS[name].key === event.key.toLowerCase());
    if (event.key === "ArrowRight") this.step(1);
    else if (event.key === "ArrowLeft") this.step(-1);
    else if (event.key === "Enter" && (tile || !target.closest("button, a, summary"))) this.act("open", example);
    else if (act && !event.repeat) this.act(act, example);
    else return;
    event.preventDefault();
  }
}

export default withLatestData(({ data, parentElement, setTriggerValue }) => {
  const look = (parentElement.look ??= new Look(parentElement));
  look.sender.send = (asked) => setTriggerValue("asked", asked);
  look.show(data);
  return listen(
    parentElement,
    {
      "mcviz-asked": (event) => look.asked(event.detail),
      "mcviz-sent": (event) => look.ask(event.detail),
      "mcviz-came-ahead": (event) => look.cameAhead(event.detail),
      keydown: (event) => look.pressed(event),
    },
    { click: (event) => look.clicked(event) },
  );
});
