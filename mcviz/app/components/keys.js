const PATIENCE = 5000; // milliseconds, in which what is being drawn should be there
let wanted; // what is waited for: its name, what was typed since, and until when

export default withLatestData((component) => {
  // Where a name is the beginning of a key, a number at its end counts the turns: of two, the later one is on the screen.
  const all = (name) => [...document.querySelectorAll(`[class*="st-key-${name}"]:not(${RETAINED})`)];
  const turnOf = (place) => Number([...place.classList].find((each) => each.startsWith("st-key-")).match(/\d*$/)[0]);
  const reached = (name, kind) => {
    if (!name.endsWith("-")) return all(name)[0]?.querySelector(kind);
    const names = Object.values(component.data).filter((each) => each.endsWith("-"));
    const latest = Math.max(...names.flatMap(all).map(turnOf));
    return all(name).find((place) => turnOf(place) === latest)?.querySelector(kind);
  };
  // Buttons that are disabled are those of the step before, while the next one is drawn.
  const isDrawing = () => scriptState() === "running";
  const isField = (element) => element?.closest?.(FIELDS);
  const enter = () => {
    const field = reached(wanted.name, "input");
    const button = reached(wanted.name, "button");
    const waits = mainBlock().classList.contains(WAITING); // its buttons are those of the step before
    if (waits && performance.now() <= wanted.until) requestAnimationFrame(enter);
    else if (button && !field && !(button.disabled && isDrawing())) {
      button.click();
      wanted = undefined;
    } else if (field && !field.closest(STALE)) {
      field.focus();
      if (wanted.typed) document.execCommand("insertText", false, wanted.typed);
      if (wanted.entered) setTimeout(() => field.blur()); // when the field has heard it; then it is kept
      wanted = undefined;
    } else if (performance.now() > wanted.until) wanted = undefined;
    else requestAnimationFrame(enter);
  };
  const reach = (name) => {
    wanted = { name, typed: "", until: performance.now() + PATIENCE };
    enter();
  };
  const pressed = (event) => {
    if (isField(event.target) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (wanted) {
      event.preventDefault();
      if (event.key.length === 1) wanted.typed += event.key;
      wanted.entered ||= event.key === "Enter";
      return;
    }
    if (event.key === " " && event.target.matches?.(".st-key-bar :not(a, a *)")) return; // it opens what has the focus
    const name = component.data[event.key.toLowerCase()];
    if (!name || !all(name).length) return;
    event.preventDefault(); // of a space, which would press the button that was pressed last
    reach(name);
  };
  const typed = (event) => {
    const done = ["Enter", "Escape"].includes(event.key) && isField(event.target);
    if (done) setTimeout(() => event.target.blur()); // when the field has heard it; then keys press buttons again
  };
  const active = document.activeElement;
  const isOurs = Object.values(component.data).some((name) => active?.closest(`[class*="st-key-${name}"]`));
  if (isField(active) && !isOurs) active.blur(); // what was typed there brought the buttons
  if (component.data[""]) reach(component.data[""]);
  return listen(component.parentElement, { keydown: pressed }, { keydown: typed });
});
