/* The classes that the passes say most of, a row each: name, histogram with the mean marked, mean ± std; and the rest in words. */
function stripsOf({ passes, panels, spoken, strips, rest, size, axis }) {
  const shown = strips.map((index) => panels[index]);
  const highest = Math.max(...shown.flatMap(({ counts }) => counts));
  const found = element("div", "strips");
  found.setAttribute("role", "group");
  found.setAttribute("aria-label", spoken);
  for (const panel of shown) {
    const strip = imageOf(panel, "strip");
    const name = element("b", "name", panel.name);
    name.title = panel.role ? `${panel.name}, ${panel.role}` : panel.name;
    const mean = element("div", "mean");
    mean.style.left = `${100 * panel.mean}%`;
    const plot = element("div", "plot");
    const counts = countsOf(panel, size);
    plot.append(bars(counts, highest), mean);
    const value = element("span", "value", panel.value);
    if (!axis) readBars(plot, counts, passes, value); // or else they are no shares
    strip.append(name, plot, value);
    found.append(strip);
  }
  const words = axis ?? `Probability in each of ${passes} passes, 0 to 1; the line is the mean.`;
  found.append(element("div", "rest", rest ? `${words} ${rest}` : words));
  return found;
}
