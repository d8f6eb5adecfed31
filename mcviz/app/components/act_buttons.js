function actOf(name, example) {
  const { key, words, path } = ACTS[name];
  return iconButton(name, `${words}, key ${key.toUpperCase()}`, `${words} example ${example}`, path);
}

function iconButton(name, title, spoken, path) {
  const button = element("button", `act ${name}`);
  button.type = "button";
  button.title = title;
  button.setAttribute("aria-label", spoken);
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}" /></svg>`;
  return button;
}
