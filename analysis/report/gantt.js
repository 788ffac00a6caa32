// What ranks did in the rounds that were traced: a row for each rank, computing above, receiving below.

const GANTT_ROWS = 256;
const GANTT_TOP = 8; // pixels above the first row

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
    const least = (this.whole[1] - this.whole[0]) / 1e5,
      width = Math.max(least, Math.min(to - from, this.whole[1] - this.whole[0]));
    const start = Math.min(Math.max(from, this.whole[0]), this.whole[1] - width);
    this.span = [start, start + width];
    this.changed?.();
    this.draw();
  }

  /** by < 1 zooms in around the middle; shift moves by so much of the window. */
  move(by, shift) {
    const [a, b] = this.span,
      middle = (a + b) / 2 + shift * (b - a),
      half = ((b - a) / 2) * by;
    this.setSpan(middle - half, middle + half);
  }

  listen() {
    let from = null;
    const time = (e) => this.timeAt(e.clientX - this.canvas.getBoundingClientRect().left);
    this.canvas.addEventListener("pointerdown", (e) => {
      from = time(e);
    });
    this.canvas.addEventListener("pointerup", (e) => {
      const to = time(e);
      if (from !== null && Math.abs(this.xAt(to) - this.xAt(from)) > 8)
        this.setSpan(Math.min(from, to), Math.max(from, to));
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
    const height = Math.ceil(GANTT_TOP + this.row * this.ranks.length + 30);
    const context = prepareCanvas(this.canvas, this.width, height);
    const colours = new Map(this.kinds.map((kind, i) => [kind, css(`--c${i % 8}`)]));
    context.save();
    context.beginPath();
    context.rect(this.left, 0, this.width - this.left - 6, height);
    context.clip();
    for (const e of this.events) this.drawEvent(context, e, colours.get(e.kind));
    context.restore();
    this.labelRanks(context);
    this.labelTimes(context, height);
  }

  drawEvent(context, e, colour) {
    const row = this.rowOf.get(e.rank);
    if (row === undefined || e.finish_s < this.span[0] || e.start_s > this.span[1]) return;
    const x = this.xAt(e.start_s);
    const width = Math.max(0.7, this.xAt(e.finish_s) - x - 0.3);
    const computing = e.lane === "compute";
    const top = GANTT_TOP + row * this.row + (computing ? 0 : this.row * 0.5);
    context.fillStyle = colour;
    context.fillRect(x, top, width, this.row * (computing ? 0.5 : 0.38));
  }

  labelRanks(context) {
    context.fillStyle = css("--soft");
    context.font = `12px ${css("--sans")}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const every = Math.max(1, Math.ceil(15 / this.row));
    for (let i = 0; i < this.ranks.length; i += every)
      context.fillText(String(this.ranks[i]), this.left - 6, GANTT_TOP + (i + 0.5) * this.row);
  }

  /** Round times: 1, 2 or 5 times a power of ten apart. */
  labelTimes(context, height) {
    const room = (this.span[1] - this.span[0]) / Math.max(2, Math.floor(this.width / 150));
    const power = 10 ** Math.floor(Math.log10(room));
    const step = [1, 2, 5, 10].map((k) => k * power).find((width) => width >= room);
    context.textAlign = "center";
    for (let k = Math.ceil(this.span[0] / step); k * step <= this.span[1]; k++) {
      const x = this.xAt(k * step);
      if (x < this.left + 14 || x > this.width - 30) continue; // its label would be cut off
      context.fillRect(x, height - 28, 1, 5);
      context.fillText(this.timeText(k * step), x, height - 12);
    }
  }

  /** Enough digits to tell the ends of the window apart. */
  timeText(time) {
    const width = this.span[1] - this.span[0];
    const units = [
      [1, "s"],
      [1e-3, "ms"],
      [1e-6, "µs"],
    ];
    const [size, unit] = units.find(([least]) => this.span[1] >= least) || [1e-9, "ns"];
    const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(width / size / 20))));
    return `${(time / size).toFixed(digits)} ${unit}`;
  }

  describe(x, y) {
    const row = (y - GANTT_TOP) / this.row;
    const rank = this.ranks[Math.floor(row)];
    const time = this.timeAt(x);
    const pixel = (this.span[1] - this.span[0]) / this.width;
    const computing = row % 1 < 0.5;
    const e = this.events.find(
      (one) =>
        one.rank === rank &&
        one.start_s - pixel <= time &&
        one.finish_s + pixel >= time &&
        (one.lane === "compute") === computing,
    );
    if (!e) return null;
    return [
      e.kind,
      `rank ${e.rank}, round ${e.round}`,
      `${this.timeText(e.start_s)} to ${this.timeText(e.finish_s)}: ${seconds(e.finish_s - e.start_s)}`,
      ...(e.peer === null ? [] : [`${bytes(e.bytes)} from rank ${e.peer}`]),
    ];
  }
}

/** The chart's table: how often each step was done, and how long by all ranks together. */
function stepRows(events) {
  const sums = new Map();
  for (const e of events) {
    const key = `${e.lane === "compute" ? "computing" : "receiving"}: ${e.kind}`;
    const sum = sums.get(key) || { times: 0, s: 0, bytes: 0 };
    sum.times++;
    sum.s += e.finish_s - e.start_s;
    sum.bytes += e.bytes || 0;
    sums.set(key, sum);
  }
  const rows = [...sums].sort((a, b) => b[1].s - a[1].s);
  return rows.map(([key, sum]) => [key, count(sum.times), seconds(sum.s), sum.bytes ? bytes(sum.bytes) : "–"]);
}

function kindKeys(kinds) {
  const block = (i) => el("span", { class: "block", style: `background:var(--c${i % 8})` });
  return el("div", { class: "legend" }, ...kinds.map((kind, i) => el("span", {}, block(i), kind)));
}

function ganttControls(view, rounds) {
  const choose = (i) => {
    const list = view.events.filter((e) => i === 0 || e.round === rounds[i - 1]);
    view.setSpan(Math.min(...list.map((e) => e.start_s)), Math.max(...list.map((e) => e.finish_s)));
  };
  return el(
    "div",
    { class: "player" },
    picker("window", ["all of it", ...rounds.map((r) => `round ${r}`)], choose),
    button("←", "earlier", () => view.move(1, -0.5)),
    button("→", "later", () => view.move(1, 0.5)),
    button("+", "zoom in", () => view.move(0.5, 0)),
    button("−", "zoom out", () => view.move(2, 0)),
    button("all", "show all", () => view.setSpan(...view.whole)),
  );
}

function drawGantt(host, inside) {
  const title = "What each rank did, step by step";
  const events = rowsOf(inside.events);
  if (!events.length) {
    const words =
      "Not recorded. Run again with, for example, --set run.trace=1..3, and a chart of these rounds stands here.";
    host.append(el("h3", {}, title), el("p", { class: "note" }, words));
    return;
  }
  const kinds = [...new Set(events.map((e) => e.kind))];
  const rounds = [...new Set(events.map((e) => e.round))].sort((a, b) => a - b);
  const which = rounds.length > 1 ? `Rounds ${rounds[0]} to ${rounds[rounds.length - 1]}` : `Round ${rounds[0]}`;
  const fig = figure(
    title,
    `${which}; a row for each rank, computing above, receiving below. Drag to choose a window.`,
  );
  host.append(fig.whole);
  const view = new GanttView(fig.plot, events, kinds);
  fig.plot.before(kindKeys(kinds));
  fig.plot.after(ganttControls(view, rounds));
  const notes = [];
  if (inside.about.events > events.length)
    notes.push(`The first ${count(events.length)} of ${count(inside.about.events)} events are drawn.`);
  if (new Set(events.map((e) => e.rank)).size > GANTT_ROWS) notes.push(`The first ${GANTT_ROWS} ranks are drawn.`);
  if (notes.length) fig.whole.append(el("p", { class: "note" }, notes.join(" ")));
  const head = ["step", "times", "seconds, all ranks", "bytes"];
  fig.fill(head, stepRows(events), `Steps of ${view.ranks.length} ranks over time`);
  host.ganttView = view;
}
