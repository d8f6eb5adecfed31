const TALLEST = 240; // pixels, of a picture

function line(...parts) {
  const made = element("div", "line");
  made.append(...parts);
  return made;
}

function factsOf(tile) {
  const facts = element("div", "facts");
  for (const [name, value] of tile.facts) {
    facts.append(line(element("span", "fact-name", name), element("span", "fact-value", value)));
  }
  return facts;
}

/* What is written of an example: its rank and score, its label and prediction. */
function linesOf(tile) {
  const lines = element("div", "lines");
  lines.append(
    line(element("span", "rank", tile.rank), element("span", "value", tile.value)),
    line(
      element("span", "label", tile.label ? `label ${tile.label}` : ""),
      element("span", "prediction", `predicted ${tile.prediction}`),
    ),
  );
  return lines;
}

/* One of the pictures of a sheet. */
function pictureOf(index, tile, data) {
  const picture = element("div", "picture" + (data.crisp ? " crisp" : ""));
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `Example ${tile.example}`);
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

function wordsOf(tile) {
  const words = element("div", tile.text ? "words" : "words none", tile.text || "An empty text");
  words.dir = "auto";
  return words;
}

/* What a tile shows of an example, whatever its kind. */
function contentsOf(tile, index, data) {
  const name = () => line(element("span", "name", tile.name));
  const shown = data.sheet ? pictureOf(index, tile, data) : tile.text !== undefined ? wordsOf(tile) : name();
  return tile.facts ? [shown, factsOf(tile), linesOf(tile)] : [shown, linesOf(tile)];
}
