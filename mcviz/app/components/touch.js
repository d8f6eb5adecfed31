/* Plotly keeps every touch on a chart for itself, so that a page could not be scrolled from there. It is not told of
   them, and the browser scrolls; of a tap it makes a click, which plotly hears. One finger selects on a chart once its
   toolbar's lasso or box was tapped, and then the page scrolls again. */
const SELECTING = "mcvizSelecting";

function chartOf(event) {
  return event.target instanceof Element ? event.target.closest(".js-plotly-plot") : null;
}

function touched(event) {
  const chart = chartOf(event);
  if (chart && !(SELECTING in chart.dataset)) event.stopPropagation();
}

function released(event) {
  const chart = chartOf(event);
  if (chart && !event.target.closest(".modebar")) delete chart.dataset[SELECTING];
}

function clicked(event) {
  const chart = chartOf(event);
  if (chart && event.target.closest('[data-attr="dragmode"]:is([data-val="lasso"], [data-val="select"])')) {
    chart.dataset[SELECTING] = "";
  }
}

function touching() {
  return { touchstart: touched, touchend: released, click: clicked };
}
