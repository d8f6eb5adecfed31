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

function tileOf(tile, place, data, opened) {
  const button = element("button", tile.wrong ? "tile wrong" : "tile");
  button.type = "button";
  button.dataset.image = tile.image;
  button.setAttribute("aria-label", tile.spoken);
  if (tile.current) button.setAttribute("aria-current", "true");
  button.onclick = () => opened(tile.image);

  const picture = element("div", "picture" + (data.crisp ? " crisp" : ""));
  const column = place % data.columns;
  const row = Math.floor(place / data.columns);
  const share = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0);
  picture.style.aspectRatio = data.aspect;
  picture.style.backgroundImage = `url(${data.sheet})`;
  picture.style.backgroundSize = `${100 * data.columns}% ${100 * data.rows}%`;
  picture.style.backgroundPosition = `${share(column, data.columns)}% ${share(row, data.rows)}%`;

  const lines = element("div", "lines");
  lines.append(
    line(element("span", "rank", tile.rank), element("span", "value", tile.value)),
    line(element("span", "true", tile.true ? `true ${tile.true}` : ""), element("span", "said", `said ${tile.said}`)),
  );
  button.append(picture, lines);
  return button;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const tiles = element("div", "tiles");
  const opened = (image) => setTriggerValue("opened", image);
  tiles.append(...data.tiles.map((tile, place) => tileOf(tile, place, data, opened)));
  parentElement.querySelector(".tiles")?.remove();
  parentElement.append(tiles);
}
