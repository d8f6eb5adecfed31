const PATIENCE = 3000; // milliseconds, in which the server should have answered what was asked last

const PARTS = { sentences: sentencesOf, histograms: (histograms) => [panelsOf(histograms)] };

class Explanation {
  constructor(root) {
    this.place = element("div", "explanation");
    root.append(this.place);
  }

  show({ example, explanation }) {
    const behind = this.wanted !== undefined && this.wanted !== example;
    if (behind && performance.now() < this.until) return; // the answer to an earlier step
    this.wanted = undefined;
    this.parts = Object.keys(explanation);
    this.draw(example, explanation);
  }

  draw(example, explanation) {
    const shown = JSON.stringify(this.parts.map((part) => explanation[part]));
    this.place.classList.remove("waiting");
    this.example = example;
    if (shown === this.shown) return;
    this.shown = shown;
    this.place.replaceChildren(...this.parts.flatMap((part) => PARTS[part](explanation[part])));
  }

  /* Another example is looked at: what is shown is of the one before, unless its own came ahead. */
  look(example) {
    this.wanted = example;
    this.until = performance.now() + PATIENCE;
    this.place.classList.toggle("waiting", this.example !== example);
  }

  /* A step is answered by what is shown then, whatever it is. */
  cameAhead({ example, explanation, step }) {
    if (!step) this.look(example);
    this.draw(example, explanation);
  }
}

export default withLatestData(({ data, parentElement }) => {
  const explanation = (parentElement.explanation ??= new Explanation(parentElement));
  explanation.show(data);
  return listen(parentElement, {
    "mcviz-looked": ({ detail }) => detail.draw && explanation.look(detail.example),
    "mcviz-came-ahead": ({ detail }) => explanation.cameAhead(detail),
  });
});
