/* Keeps what the server sent of examples that may be looked at next, and gives it to be drawn when one is. Where the page
   itself steps to another example, the rest of it waits for the server and takes no clicks: they would be meant for what
   is shown. */
class Ahead {
  show({ explanations, steps = {} }) {
    [this.explanations, this.steps] = [explanations, steps];
    this.end();
  }

  end() {
    if (!this.stepped) return;
    const { image, before, sheet } = this.stepped;
    if (image) {
      if (image.src === sheet) Object.assign(image, before); // the server said that it is the same example
      image.style.imageRendering = "";
    }
    this.stepped = undefined;
    mainBlock().classList.remove(WAITING);
  }

  send(example, more) {
    const explanation = this.explanations[example];
    const detail = { example, explanation, ...more };
    if (explanation) document.dispatchEvent(new CustomEvent("mcviz-came-ahead", { detail }));
  }

  /* A button or a key that leads to another example was pressed. */
  step(leadsTo) {
    const name = Object.keys(this.steps).find(leadsTo);
    if (name === undefined || this.stepped) return;
    const example = this.steps[name];
    this.stepped = this.draw(example, this.explanations[example]?.picture ?? {});
    if (this.explanations[example]) mainBlock().classList.add(WAITING);
    this.send(example, { step: true });
  }

  /* Draws the picture of an example, where there is one, in place of that of the example before. */
  draw(example, { sheet, crisp }) {
    const image = document.querySelector(`.st-key-${PICTURE} img`);
    if (!sheet || !image) return {};
    const before = { src: image.src, alt: image.alt };
    Object.assign(image, { src: sheet, alt: `Example ${example}` });
    image.style.imageRendering = crisp ? "pixelated" : "";
    return { image, before, sheet };
  }
}

export default withLatestData(({ data, parentElement }) => {
  const ahead = (parentElement.ahead ??= new Ahead());
  ahead.show(data);
  const unlisten = listen(
    parentElement,
    {
      "mcviz-looked": ({ detail: { example, draw } }) => draw && ahead.send(example),
      "mcviz-stepped": ({ detail }) => ahead.step((name) => name === detail),
    },
    {
      click: ({ target }) => {
        const button = target instanceof Element && target.closest(BUTTON);
        if (button) ahead.step((name) => button.closest(`[class*="st-key-${name}"]`));
      },
    },
  );
  return () => {
    unlisten();
    setTimeout(() => parentElement.host.isConnected || ahead.end());
  };
});
