const PIXELS = 640; // of the canvas's longer side
const NEAREST = 0.004; // points closer than this to the one before say nothing new
const STEP = 0.04; // of the pad, that an arrow key goes
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const MARKUP = `
  <canvas role="img" tabindex="0"
    aria-label="Drawing pad: draw with the mouse, a pen or a finger; or put the pen down or up with Space, and move it
    with arrow keys"></canvas>
  <div class="tools">
    <label>Line width <input type="range" min="0.03" max="0.2" step="0.01" value="0.09" /></label>
    <button type="button" class="undo">Undo</button>
    <button type="button" class="clear">Clear</button>
    <button type="button" class="save">Save</button>
  </div>
  <div class="keys">Keys: Space puts the pen down or up, arrows move it.</div>`;

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
    this.save = place.querySelector(".save");
    this.canvas.width = data.aspect >= 1 ? PIXELS : Math.round(PIXELS * data.aspect);
    this.canvas.height = data.aspect >= 1 ? Math.round(PIXELS / data.aspect) : PIXELS;
    this.strokes = data.strokes;
    this.pointer = null;
    this.pen = [0.5, 0.5]; // of the keyboard
    this.isDown = false;
    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.goOn(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = (event) => this.end(event);
    this.canvas.onkeydown = (event) => this.press(event);
    this.canvas.onfocus = () => this.paint();
    this.canvas.onblur = () => this.lift();
    this.undo.onclick = () => this.change(this.strokes.slice(0, -1));
    this.clear.onclick = () => this.change([]);
    this.save.onclick = () => this.download();
    this.paint();
  }

  begin(event) {
    if (this.pointer !== null || this.isDown || event.button !== 0) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.start(this.at(event));
  }

  start(point) {
    this.strokes = [...this.strokes, { width: Number(this.width.value), points: [point] }];
    this.paint();
  }

  press(event) {
    const step = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || this.pointer !== null || !(step || event.key === " ")) return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) {
      if (event.repeat) return;
      if (this.isDown) return this.lift();
      this.isDown = true;
      return this.start(this.pen);
    }
    this.pen = this.pen.map((value, axis) => Math.round(1e4 * Math.min(1, Math.max(0, value + step[axis]))) / 1e4);
    if (this.isDown) this.strokes.at(-1).points.push(this.pen);
    this.paint();
  }

  lift() {
    if (this.isDown) {
      this.isDown = false;
      this.change(this.strokes);
    } else this.paint();
  }

  download() {
    this.paint(false);
    const link = document.createElement("a");
    [link.href, link.download] = [this.canvas.toDataURL("image/png"), "drawing.png"];
    link.click();
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

  paint(withPen = this.canvas.matches(":focus-visible")) {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
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
    if (withPen) {
      const [x, y] = this.pen;
      context.strokeStyle = this.isDown ? "#e6550d" : "#3a99d8";
      context.lineWidth = 4;
      context.beginPath();
      context.arc(x * width, y * height, (Number(this.width.value) / 2) * Math.min(width, height) + 4, 0, 2 * Math.PI);
      context.stroke();
    }
    this.undo.disabled = this.clear.disabled = this.save.disabled = this.strokes.length === 0;
  }
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  parentElement.pad ??= new Pad(parentElement, data);
  parentElement.pad.send = (strokes) => setStateValue("strokes", strokes);
}
