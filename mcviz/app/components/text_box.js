export default withLatestData((component) => {
  const { data, parentElement } = component;
  const box = document.createElement("div");
  box.className = "text";
  box.textContent = data.text;
  box.style.maxHeight = `${data.height}px`;
  box.tabIndex = 0; // so that keys scroll it
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", data.spoken);
  parentElement.querySelector(".text")?.remove();
  parentElement.append(box);
});
