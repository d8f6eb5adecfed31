const STARTED = 200; // milliseconds, in which the server has begun with what was sent
const SOON = 20;

/* Sends what is asked of examples in any view to the server, one after the other: what arrives while a page is drawn cuts
   the drawing short, and may be lost itself. */
class Sender {
  constructor() {
    this.waiting = [];
    this.until = 0;
  }

  add(asked) {
    const again = ["look", "hover", "pictures"].includes(asked.what); // of these only the last one matters
    if (again) this.waiting = this.waiting.filter(({ what }) => what !== asked.what);
    this.waiting.push(asked);
    if (!this.timer) this.go();
  }

  go() {
    this.timer = undefined;
    if (!this.waiting.length) return;
    if (scriptState() === "running") this.until = 0;
    else if (performance.now() >= this.until) {
      this.send(this.waiting.shift());
      this.until = performance.now() + STARTED;
    }
    if (this.waiting.length) this.timer = setTimeout(() => this.go(), SOON);
  }
}
