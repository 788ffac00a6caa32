// What ranks did in the rounds that were traced: a row for each rank, computing above, receiving below.

const GANTT_ROWS = 256;

class GanttView {
  constructor(plot, events, kinds) {
    Object.assign(this, { plot, events, kinds });
    this.ranks = [...new Set(events.map((e) => e.rank))].sort((a, b) => a - b).slice(0, GANTT_ROWS);
    this.rowOf = new Map(this.ranks.map((rank, i) => [rank, i]));
    this.whole = [Math.min(...events.map((e) => e.start_s)), Math.max(...events.map((e) => e.finish_s))];
    this.span = [...this.whole];
    this.canvas = el("canvas", { class: "gantt" });
    plot.append(this.canvas);
    hoverBox(plot, this.canvas, (x, y) => this.describe(x, y));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(plot);
    onRedraw(() => this.draw());
    this.draw();
  }

  setSpan(from, to) {
    const least = (this.whole[1] - this.whole[0]) / 1e5, width = Math.max(least, Math.min(to - from, this.whole[1] - this.whole[0]));
    const start = Math.min(Math.max(from, this.whole[0]), this.whole[1] - width);
    this.span = [start, start + width];
    this.changed?.();
    this.draw();
  }

  /** by < 1 zooms in around the middle; shift moves by so much of the window. */
  move(by, shift) {
    const [a, b] = this.span, middle = (a + b) / 2 + shift * (b - a), half = ((b - a) / 2) * by;
    this.setSpan(middle - half, middle + half);
  }

  listen() {
    let from = null;
    const time = (e) => this.timeAt(e.clientX - this.canvas.getBoundingClientRect().left);
    this.canvas.addEventListener("pointerdown", (e) => { from = time(e); });
    this.canvas.addEventListener("pointerup", (e) => {
      const to = time(e);
      if (from !== null && Math.abs(this.xAt(to) - this.xAt(from)) > 8) this.setSpan(Math.min(from, to), Math.max(from, to));
      from = null;
    });
    this.canvas.addEventListener("dblclick", () => this.setSpan(...this.whole));
  }

  timeAt(x) {
    return this.span[0] + ((x - this.left) / (this.width - this.left - 6)) * (this.span[1] - this.span[0]);
  }

  xAt(time) {
    return this.left + ((time - this.span[0]) / (this.span[1] - this.span[0] || 1)) * (this.width - this.left - 6);
  }

  draw() {
    this.left = 40;
    this.width = this.plot.clientWidth;
    this.row = Math.min(18, Math.max(3, 420 / this.ranks.length));
    const height = Math.ceil(this.row * this.ranks.length + 30), context = prepareCanvas(this.canvas, this.width, height);
    const colours = new Map(this.kinds.map((kind, i) => [kind, css(`--c${i % 8}`)]));
    context.save();
    context.beginPath();
    context.rect(this.left, 0, this.width - this.left - 6, height);
    context.clip();
    for (const e of this.events) {
      const row = this.rowOf.get(e.rank);
      if (row === undefined || e.finish_s < this.span[0] || e.start_s > this.span[1]) continue;
      const x = this.xAt(e.start_s), computing = e.lane === "compute";
      context.fillStyle = colours.get(e.kind);
      context.fillRect(x, row * this.row + (computing ? 0 : this.row * 0.5), Math.max(0.7, this.xAt(e.finish_s) - x - 0.3), this.row * (computing ? 0.5 : 0.38));
    }
    context.restore();
    this.label(context, height);
  }

  label(context, height) {
    context.fillStyle = css("--soft");
    context.font = `12px ${css("--sans")}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const every = Math.max(1, Math.ceil(15 / this.row));
    this.ranks.forEach((rank, i) => { if (i % every === 0) context.fillText(String(rank), this.left - 6, (i + 0.5) * this.row); });
    const ticks = this.width > 700 ? 6 : 2;
    for (let k = 0; k <= ticks; k++) {
      const time = this.span[0] + ((this.span[1] - this.span[0]) * k) / ticks;
      context.textAlign = k === 0 ? "left" : k === ticks ? "right" : "center";
      context.fillText(this.timeText(time), this.xAt(time), height - 12);
    }
  }

  /** Enough digits to tell the ends of the window apart. */
  timeText(time) {
    const width = this.span[1] - this.span[0], unit = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]].find(([size]) => this.span[1] >= size) || [1e-9, "ns"];
    const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(width / unit[0] / 20))));
    return `${(time / unit[0]).toFixed(digits)} ${unit[1]}`;
  }

  describe(x, y) {
    const rank = this.ranks[Math.floor(y / this.row)], time = this.timeAt(x), pixel = (this.span[1] - this.span[0]) / this.width;
    const computing = (y % this.row) < this.row / 2;
    const e = this.events.find((one) => one.rank === rank && one.start_s - pixel <= time && one.finish_s + pixel >= time && (one.lane === "compute") === computing);
    if (!e) return null;
    return [e.kind, `rank ${e.rank}, round ${e.round}`, `${this.timeText(e.start_s)} to ${this.timeText(e.finish_s)}: ${seconds(e.finish_s - e.start_s)}`,
      ...(e.peer === null ? [] : [`${bytes(e.bytes)} from rank ${e.peer}`])];
  }
}

function drawGantt(host, inside) {
  const events = rowsOf(inside.events);
  if (!events.length) {
    host.append(el("h3", {}, "What each rank did, step by step"), el("p", { class: "note" },
      "Not recorded. Run again with, for example, --set run.trace=1..3, and a chart of these rounds stands here."));
    return;
  }
  const sums = new Map();
  for (const e of events) {
    const key = `${e.lane === "compute" ? "computing" : "receiving"}: ${e.kind}`;
    const sum = sums.get(key) || [0, 0, 0];
    sums.set(key, [sum[0] + 1, sum[1] + e.finish_s - e.start_s, sum[2] + (e.bytes || 0)]);
  }
  const kinds = [...new Set(events.map((e) => e.kind))], rounds = [...new Set(events.map((e) => e.round))].sort((a, b) => a - b);
  const fig = figure("What each rank did, step by step", `Rounds ${rounds[0]} to ${rounds[rounds.length - 1]}; a row for each rank, computing above, receiving below. Drag to choose a window.`);
  host.append(fig.whole);
  const view = new GanttView(fig.plot, events, kinds);
  const button = (text, name, act) => el("button", { type: "button", class: "play", "aria-label": name, onclick: act }, text);
  fig.plot.before(el("div", { class: "legend" }, ...kinds.map((kind, i) => el("span", {}, el("span", { class: "block", style: `background:var(--c${i % 8})` }), kind))));
  fig.plot.after(el("div", { class: "player" },
    picker("window", ["all of it", ...rounds.map((r) => `round ${r}`)], (i) => {
      const list = events.filter((e) => i === 0 || e.round === rounds[i - 1]);
      view.setSpan(Math.min(...list.map((e) => e.start_s)), Math.max(...list.map((e) => e.finish_s)));
    }),
    button("←", "earlier", () => view.move(1, -0.5)), button("→", "later", () => view.move(1, 0.5)),
    button("+", "zoom in", () => view.move(0.5, 0)), button("−", "zoom out", () => view.move(2, 0)), button("all", "show all", () => view.setSpan(...view.whole))));
  const notes = [];
  if (inside.about.events > events.length) notes.push(`The first ${count(events.length)} of ${count(inside.about.events)} events are drawn.`);
  if (new Set(events.map((e) => e.rank)).size > GANTT_ROWS) notes.push(`The first ${GANTT_ROWS} ranks are drawn.`);
  if (notes.length) fig.whole.append(el("p", { class: "note" }, notes.join(" ")));
  fig.fill(["step", "times", "seconds, all ranks", "bytes"], [...sums].sort((a, b) => b[1][1] - a[1][1]).map(([key, [n, s, b]]) => [key, count(n), seconds(s), b ? bytes(b) : "–"]),
    `Steps of ${view.ranks.length} ranks over time`);
  host.ganttView = view;
}
