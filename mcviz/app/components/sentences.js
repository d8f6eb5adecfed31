/* A sentence in Markdown, whose bold words are all that it has of it; what else would mean something is escaped. */
function sentenceOf(tag, markdown) {
  const sentence = element(tag, "");
  let place = sentence;
  for (const [token, escaped] of markdown.matchAll(/\\(.)|\*\*|[^\\*]+/gsu)) {
    if (token !== "**") place.append(escaped ?? token);
    else if (place === sentence) sentence.append((place = element("b", "")));
    else place = sentence;
  }
  return sentence;
}

function sentencesOf(sentences) {
  const found = [];
  for (const sentence of sentences) {
    if (!sentence.startsWith("- ")) found.push(sentenceOf("p", sentence));
    else {
      if (found.at(-1)?.tagName !== "UL") found.push(element("ul", ""));
      found.at(-1).append(sentenceOf("li", sentence.slice(2)));
    }
  }
  return found;
}
