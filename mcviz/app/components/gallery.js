/* What is wanted of an example goes to the panel beside, where there is one. */
function ask(what, example, more = {}) {
  document.dispatchEvent(new CustomEvent("mcviz-asked", { detail: { what, example, ...more } }));
}

class Gallery {
  constructor(root) {
    this.root = root;
  }

  show(data) {
    const drawn = JSON.stringify([data.sheet, data.tiles.map(({ current, marks, ...tile }) => tile)]);
    if (drawn !== this.drawn) this.draw(data);
    this.drawn = drawn;
    this.data = data;
    this.tiles.classList.toggle("named", Boolean(data.named));
    this.tiles.classList.toggle("small", data.size === "small");
    this.tiles.classList.toggle("large", data.size === "large");
    this.tiles.classList.toggle("dense", data.size === "dense");
    data.tiles.forEach((tile, index) => {
      const { place, acts } = this.places[index];
      place.classList.toggle("ticked", Boolean(tile.marks?.tick));
      place.style.setProperty("--marks", Object.values(tile.marks ?? {}).filter(Boolean).length);
      for (const [name, button] of Object.entries(acts)) button.setAttribute("aria-pressed", tile.marks[name]);
    });
    this.fit();
    const current = data.tiles.find((tile) => tile.current)?.example;
    this.anchor ??= current;
    this.current(current);
  }

  draw(data) {
    this.tiles?.remove();
    this.tiles = element("div", "tiles");
    if (data.tiles.some((tile) => tile.text !== undefined)) this.tiles.classList.add("of-words");
    if (data.tiles.some((tile) => tile.facts)) this.tiles.classList.add("with-facts");
    this.places = data.tiles.map((tile, index) => this.placeOf(tile, index, data));
    this.tiles.append(...this.places.map(({ place }) => place));
    this.root.append(this.tiles);
    this.sized?.disconnect();
    this.sized = new ResizeObserver(() => requestAnimationFrame(() => this.fit()));
    this.sized.observe(this.tiles);
  }

  /* Where names do not fit, their number stands in their place; the title has them. */
  fit() {
    const named = [...this.tiles.querySelectorAll("[data-brief]")];
    for (const words of named) words.textContent = words.dataset.whole;
    const cut = named.filter((words) => words.scrollWidth > words.clientWidth);
    for (const words of cut) words.textContent = words.dataset.brief;
  }

  placeOf(tile, index, data) {
    const place = element("div", "place");
    const button = element("button", tile.wrong ? "tile wrong" : "tile");
    button.type = "button";
    button.dataset.example = tile.example;
    if (tile.hover) button.title = tile.hover;
    button.append(...contentsOf(tile, index, data));
    place.append(button);
    const acts = {};
    if (!data.looks) button.onclick = () => this.open(tile.example);
    else {
      button.setAttribute("aria-keyshortcuts", ["Enter", ...Object.values(ACTS).map(({ key }) => key.toUpperCase())].join(" "));
      button.onclick = (event) => this.clicked(event, tile.example);
      button.ondblclick = () => ask("open", tile.example);
      const row = element("div", "acts");
      for (const name of Object.keys(ACTS)) {
        acts[name] = actOf(name, tile.example);
        acts[name].tabIndex = -1; // by key from the tile
        acts[name].onclick = () => ask(name, tile.example);
        row.append(acts[name]);
      }
      place.append(row);
    }
    return { place, button, acts };
  }

  clicked(event, example) {
    if (event.shiftKey) {
      const numbers = this.data.tiles.map((tile) => tile.example);
      const [from, to] = [Math.max(0, numbers.indexOf(this.anchor)), numbers.indexOf(example)].sort((a, b) => a - b);
      ask("range", example, { examples: numbers.slice(from, to + 1) });
    } else ask(event.ctrlKey || event.metaKey ? "tick" : "look", example);
    if (!event.shiftKey) this.anchor = example;
  }

  /* Another example is looked at: it is marked, and if it is here, given to be drawn before the server answers. */
  mark({ example, draw, focus }) {
    const index = this.data.tiles.findIndex((tile) => tile.example === example);
    this.current(example);
    if (index < 0) return;
    this.anchor = example;
    if (!draw) return;
    const { button } = this.places[index];
    button.scrollIntoView({ block: "nearest" });
    if (focus && this.root.activeElement) button.focus();
    draw(this.data.tiles[index], index, this.data);
  }

  current(example) {
    for (const { button } of this.places) {
      if (Number(button.dataset.example) === example) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

export default withLatestData(({ data, parentElement, setTriggerValue }) => {
  const gallery = (parentElement.gallery ??= new Gallery(parentElement));
  gallery.open = (example) => setTriggerValue("clicked", example);
  gallery.show(data);
  return listen(parentElement, { "mcviz-looked": (event) => gallery.data.looks && gallery.mark(event.detail) });
});
