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

/* The name of a class, which is whole in its title. */
function nameOf(words) {
  const name = element("span", "class", words);
  name.title = words;
  return name;
}

/* One line: what is predicted, behind the label where that is another, and the score. */
function verdictOf(tile) {
  const prediction = element("span", "prediction");
  const differs = tile.label && tile.label !== tile.prediction;
  if (differs) {
    const arrow = element("span", "arrow", "→");
    arrow.setAttribute("aria-hidden", "true");
    prediction.append(element("span", "spoken", "label "), nameOf(tile.label), arrow);
  }
  const spoken = differs ? ", predicted " : tile.label ? "label and prediction " : "predicted ";
  const predicted = nameOf(tile.prediction);
  if (tile.brief) Object.assign(predicted.dataset, { whole: tile.prediction, brief: tile.brief });
  prediction.append(element("span", "spoken", spoken), predicted);
  const verdict = line(prediction, element("span", "value", tile.value));
  verdict.classList.add("verdict");
  return verdict;
}

/* One of the pictures of a sheet: of all tiles, or of one that many pages of tiles share, which is a class of a style. */
function pictureOf(index, tile, data) {
  const picture = element("div", "picture" + (data.crisp ? " crisp" : "") + (tile.sheet ? ` ${tile.sheet}` : ""));
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", tile.spoken ?? `Example ${tile.example}`);
  const place = tile.place ?? index;
  const column = place % data.columns;
  const row = Math.floor(place / data.columns);
  const share = (step, count) => (count > 1 ? (100 * step) / (count - 1) : 0);
  picture.style.aspectRatio = data.aspect;
  picture.style.maxWidth = `${TALLEST * data.aspect}px`;
  if (!tile.sheet) picture.style.backgroundImage = `url(${data.sheet})`;
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
  const shown = data.sheet || tile.sheet ? pictureOf(index, tile, data) : tile.text !== undefined ? wordsOf(tile) : name();
  const facts = tile.facts ? [factsOf(tile)] : [];
  return [shown, ...facts, ...(tile.prediction ? [verdictOf(tile)] : [])];
}
