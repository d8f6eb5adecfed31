export default function (component) {
  const pressed = (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const name = component.data[event.key.toLowerCase()];
    if (name) document.querySelector(`.st-key-${name} button`)?.click();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
