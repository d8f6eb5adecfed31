/* A text with its lines and its white space, which scrolls where it is higher. */
function textBoxOf({ text, spoken, height }) {
  const box = element("div", "text", text);
  box.style.maxHeight = `${height}px`;
  box.tabIndex = 0; // so that keys scroll it
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", spoken);
  return box;
}
