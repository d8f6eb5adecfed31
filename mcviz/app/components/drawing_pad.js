const PIXELS = 640; // of the canvas's longer side
const NEAREST = 0.004; // points closer than this to the one before say nothing new
const MARKUP = `
  <canvas role="img" aria-label="Drawing pad: draw with the mouse, a pen or a finger"></canvas>
  <div class="tools">
    <label>Line width <input type="range" min="0.03" max="0.2" step="0.01" value="0.09" /></label>
    <button type="button" class="undo">Undo</button>
    <button type="button" class="clear">Clear</button>
  </div>`;

class Pad {
  constructor(root, data) {
    const place = document.createElement("div");
    place.className = "pad";
    place.innerHTML = MARKUP;
    root.append(place);
    this.canvas = place.querySelector("canvas");
    this.width = place.querySelector("input");
    this.undo = place.querySelector(".undo");
    this.clear = place.querySelector(".clear");
    this.canvas.width = data.aspect >= 1 ? PIXELS : Math.round(PIXELS * data.aspect);
    this.canvas.height = data.aspect >= 1 ? Math.round(PIXELS / data.aspect) : PIXELS;
    this.strokes = data.strokes;
    this.pointer = null;
    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.goOn(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = (event) => this.end(event);
    this.undo.onclick = () => this.change(this.strokes.slice(0, -1));
    this.clear.onclick = () => this.change([]);
    this.paint();
  }

  begin(event) {
    if (this.pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.strokes = [...this.strokes, { width: Number(this.width.value), points: [this.at(event)] }];
    this.paint();
  }

  goOn(event) {
    if (event.pointerId !== this.pointer) return;
    const points = this.strokes.at(-1).points;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) {
      const [x, y] = this.at(each);
      const [lastX, lastY] = points.at(-1);
      if (Math.hypot(x - lastX, y - lastY) >= NEAREST) points.push([x, y]);
    }
    this.paint();
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.change(this.strokes);
  }

  change(strokes) {
    this.strokes = strokes;
    this.paint();
    this.send([...strokes]);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const rounded = (value) => Math.round(value * 1e4) / 1e4;
    return [rounded((event.clientX - box.left) / box.width), rounded((event.clientY - box.top) / box.height)];
  }

  paint() {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      const [[startX, startY], ...others] = stroke.points;
      context.lineWidth = stroke.width * Math.min(width, height);
      context.beginPath();
      context.moveTo(startX * width, startY * height);
      context.lineTo(startX * width, startY * height);
      for (const [x, y] of others) context.lineTo(x * width, y * height);
      context.stroke();
    }
    this.undo.disabled = this.clear.disabled = this.strokes.length === 0;
  }
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  parentElement.pad ??= new Pad(parentElement, data);
  parentElement.pad.send = (strokes) => setStateValue("strokes", strokes);
}
