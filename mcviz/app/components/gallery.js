const TALLEST = 240; // pixels, of a picture

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function line(...parts) {
  const made = element("div", "line");
  for (const part of parts) part.title = part.textContent; // of which a narrow tile shows the beginning
  made.append(...parts);
  return made;
}

function tileOf(tile, index, data, open) {
  const button = element("button", tile.wrong ? "tile wrong" : "tile");
  button.type = "button";
  button.dataset.example = tile.example;
  if (tile.hover) button.title = tile.hover;
  button.setAttribute("aria-label", tile.spoken);
  if (tile.current) button.setAttribute("aria-current", "true");
  button.onclick = () => open(tile.example);

  button.append(data.sheet ? pictureOf(index, data) : line(element("span", "name", tile.name)));
  const lines = element("div", "lines");
  lines.append(
    line(element("span", "rank", tile.rank), element("span", "value", tile.value)),
    line(
      element("span", "label", tile.label ? `label ${tile.label}` : ""),
      element("span", "prediction", `predicted ${tile.prediction}`),
    ),
  );
  button.append(lines);
  return button;
}

function pictureOf(index, data) {
  const picture = element("div", "picture" + (data.crisp ? " crisp" : ""));
  const column = index % data.columns;
  const row = Math.floor(index / data.columns);
  const share = (step, count) => (count > 1 ? (100 * step) / (count - 1) : 0);
  picture.style.aspectRatio = data.aspect;
  picture.style.maxWidth = `${TALLEST * data.aspect}px`;
  picture.style.backgroundImage = `url(${data.sheet})`;
  picture.style.backgroundSize = `${100 * data.columns}% ${100 * data.rows}%`;
  picture.style.backgroundPosition = `${share(column, data.columns)}% ${share(row, data.rows)}%`;
  return picture;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const tiles = element("div", "tiles");
  const open = (example) => setTriggerValue("clicked", example);
  tiles.append(...data.tiles.map((tile, index) => tileOf(tile, index, data, open)));
  parentElement.querySelector(".tiles")?.remove();
  parentElement.append(tiles);
}
