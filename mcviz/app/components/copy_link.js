const SAID = 2000; // milliseconds
const MARKUP = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 14a4 4 0 0 0 6 0l4-4a4 4 0 0 0-6-6l-1.5 1.5
  M14 10a4 4 0 0 0-6 0l-4 4a4 4 0 0 0 6 6l1.5-1.5" /></svg>Copy link`;

// Where a page is not served safely (plain http from another machine), browsers have no clipboard of their own.
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("The browser copies nothing.");
}

export default function (component) {
  const { parentElement } = component;
  if (parentElement.querySelector("button")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.innerHTML = MARKUP;
  button.title = "A link to this page as it is: the run, the example, the filters and the order";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  button.onclick = async () => {
    try {
      await copied(window.location.href);
      said.textContent = "Copied";
    } catch {
      said.textContent = "Not allowed here: copy the address";
    }
    setTimeout(() => (said.textContent = ""), SAID);
  };
  parentElement.append(button, said);
}
