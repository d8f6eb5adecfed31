const PATIENCE = 5000; // milliseconds, in which the server should begin with what is asked for
const REST = 1000; // milliseconds, after which a page that is drawn lacks what a key leads to
const DIALOG = "[role=dialog]"; // it asks for a name, with which the decision before is kept
let pending = []; // keys that wait their turn: the name that each leads to, what was typed into its field, and until when
const fields = new Set(); // names that lead to a field, also while it is not drawn yet
let frame; // in which the first of them is looked at again
let heard = 0; // how many presses the server has heard, by what is drawn
let due = 0; // how many it will have heard: buttons are drawn before it says so
let step; // that was made last: the turn of its button, and how many presses will be heard by then

export default withLatestData((component) => {
  const widgets = component.data.widgets;
  if (component.data.heard < heard) due = 0; // another server
  heard = component.data.heard;
  // Where a name is the beginning of a key, a number at its end counts the turns: of two, the later one is on the screen.
  const all = (name) => [...document.querySelectorAll(`[class*="st-key-${name}"]:not(${RETAINED})`)];
  const turnOf = (place) => Number([...place.classList].find((each) => each.startsWith("st-key-")).match(/\d*$/)[0]);
  const inTurns = () => Object.values(widgets).filter((each) => each.endsWith("-")).flatMap(all);
  const latestTurn = () => Math.max(...inTurns().map(turnOf));
  const reached = (name, kind) => {
    if (!name.endsWith("-")) return all(name)[0]?.querySelector(kind);
    const latest = latestTurn();
    return all(name).find((place) => turnOf(place) === latest)?.querySelector(kind);
  };
  const isDrawing = () => scriptState() === "running";
  // Until a step is drawn, the buttons are those of the example before; some steps lead to no other turn.
  const isStepping = () => {
    if (step && latestTurn() === step.turn && heard < step.due) return true;
    step = undefined;
    return mainBlock().classList.contains(WAITING);
  };
  const isField = (element) => element?.closest?.(FIELDS);
  const isThere = (field, button) => (field ? !field.closest(STALE) : button && !(button.disabled && isDrawing()));
  const act = (field, button, { typed, isEntered }) => {
    if (!field) return button.click();
    field.focus();
    if (typed) document.execCommand("insertText", false, typed);
    if (isEntered) setTimeout(() => field.blur()); // when the field has heard it; then it is kept
  };
  /* Does what the first key asks for, once the example that it is about was on the screen for a frame. */
  const go = () => {
    const [first, now, waits] = [pending[0], performance.now(), isStepping()];
    const [field, button] = [reached(first.name, "input"), reached(first.name, "button")];
    const canAct = !waits && isThere(field, button);
    const rests = !waits && first.name.endsWith("-");
    if (isDrawing()) first.until = now + PATIENCE;
    else first.until = Math.min(first.until ?? Infinity, now + (rests ? REST : PATIENCE));
    if (canAct && first.isSeen) act(field, button, pending.shift());
    else if (now > first.until) [pending, step, due] = [waits ? [] : pending.slice(1), undefined, heard];
    else first.isSeen = canAct;
    if (pending.length) frame = requestAnimationFrame(go);
  };
  const note = (name) => document.querySelector(`[class*="st-key-${name}"] input`) && fields.add(name);
  const reach = (name, isSeen) => {
    note(name);
    pending.push({ name, typed: "", takesText: fields.has(name), isSeen });
    if (pending.length === 1) go();
  };
  const pressed = (event) => {
    if (event.target.closest?.(`${FIELDS}, ${DIALOG}`) || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = pending.at(-1);
    if (last?.takesText && !last.isEntered) {
      event.preventDefault();
      if (event.key.length === 1) last.typed += event.key;
      last.isEntered = event.key === "Enter";
      return;
    }
    if (event.key === " " && event.target.matches?.(".st-key-bar :not(a, a *)")) return; // it opens what has the focus
    const name = widgets[event.key.toLowerCase()];
    if (!name || !(pending.length || isStepping() || isDrawing() || all(name).length)) return;
    event.preventDefault(); // of a space, which would press the button that was pressed last
    reach(name, !pending.length && !isStepping());
  };
  const typed = (event) => {
    const done = ["Enter", "Escape"].includes(event.key) && isField(event.target);
    if (done) setTimeout(() => event.target.blur()); // when the field has heard it; then keys press buttons again
    const isName = event.key === "Enter" && event.target.closest?.(DIALOG) && event.target.value;
    if (isName) step = { turn: latestTurn(), due: Infinity };
  };
  const clicked = ({ target }) => {
    const button = target.closest?.(BUTTON);
    if (!button || !inTurns().some((place) => place.contains(button))) return;
    due = Math.max(due, heard) + 1;
    step = { turn: latestTurn(), due };
  };
  Object.values(widgets).forEach(note);
  const active = document.activeElement;
  const isOurs = Object.values(widgets).some((name) => active?.closest(`[class*="st-key-${name}"]`));
  if (isField(active) && !isOurs) active.blur(); // what was typed there brought the buttons
  if (widgets[""]) {
    cancelAnimationFrame(frame);
    pending = [{ name: widgets[""], typed: "", takesText: true, isSeen: true }];
    go();
  }
  return listen(component.parentElement, { keydown: pressed }, { keydown: typed, click: clicked });
});
