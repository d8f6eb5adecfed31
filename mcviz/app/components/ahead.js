/* Keeps what the server sent of examples that may be looked at next, and gives it to be drawn when one is. */
export default withLatestData(({ data, parentElement }) =>
  hear(parentElement, {
    "mcviz-looked": ({ detail: { example, draw } }) => {
      const detail = { example, explanation: data[example] };
      if (draw && detail.explanation) document.dispatchEvent(new CustomEvent("mcviz-came-ahead", { detail }));
    },
  }),
);
