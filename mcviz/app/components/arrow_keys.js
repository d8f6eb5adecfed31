// Steps are counted, not sent one by one: where presses come faster than answers, the server gets the latest sum.
export default function (component) {
  const { parentElement, setStateValue } = component;
  const counted = (parentElement.counted ??= { since: crypto.randomUUID(), steps: 0 });
  const pressed = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest?.(`${FIELDS}, [role=slider], [role=radiogroup]`)) return;
    event.preventDefault();
    counted.steps += step;
    document.dispatchEvent(new CustomEvent("mcviz-stepped", { detail: step < 0 ? "step-back" : "step-forward" }));
    setStateValue("counted", { ...counted });
  };
  return listen(parentElement, { keydown: pressed });
}
