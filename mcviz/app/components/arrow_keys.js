// Presses are counted, not sent one by one: where they come faster than answers, the server gets the latest sums.
export default function (component) {
  const { parentElement, setStateValue } = component;
  const counted = (parentElement.counted ??= { since: crypto.randomUUID(), steps: 0, flags: [] });
  const pressed = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const flags = event.key.toLowerCase() === "f" && !event.repeat;
    if (!(step || flags) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest?.(`${FIELDS}, [role=slider], [role=radiogroup]`)) return;
    event.preventDefault();
    if (flags) counted.flags.push(counted.steps);
    else {
      counted.steps += step;
      document.dispatchEvent(new CustomEvent("mcviz-stepped", { detail: step < 0 ? "step-back" : "step-forward" }));
    }
    setStateValue("counted", { ...counted, flags: [...counted.flags] });
  };
  return listen(parentElement, { keydown: pressed });
}
