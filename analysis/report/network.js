// The network: its links coloured by load, over the whole run or at a moment that a slider chooses; a canvas of our own,
// since ten thousand links must stay fluid.

const LOAD_COLOURS = 24;
const LINES_OF_A_PATH = 100; // thousands in one path take twice as long, a path for each five times

/** A byte of bin_loads as a load. */
const loadOfByte = Float32Array.from({ length: 256 }, (_, b) => (b ? 10 ** ((b - 255) / 42) : 0));

function decodeLoads(text) {
  return text ? Uint8Array.from(atob(text), (c) => c.charCodeAt(0)) : new Uint8Array(0);
}

/** What is drawn: nodes with positions, lines with their link, the ends of time. */
function networkOf(inside) {
  const links = new Map(rowsOf(inside.links).map((link) => [link.link, { ...link, bins: decodeLoads(link.bin_loads) }]));
  const nodes = rowsOf(inside.nodes), pairs = new Map();
  const lines = rowsOf(inside.lines).filter((line) => links.has(line.link))
    .map((line) => ({ from: line.from_node, to: line.to_node, link: links.get(line.link) }));
  for (const line of lines) {
    const key = line.from < line.to ? `${line.from} ${line.to}` : `${line.to} ${line.from}`;
    pairs.set(key, (pairs.get(key) || 0) + 1);
    line.key = key;
  }
  for (const line of lines) line.shared = pairs.get(line.key) > 1; // both ways: drawn side by side
  const bins = Math.max(0, ...lines.map((line) => line.link.bins.length));
  const peak = Math.max(0, ...lines.map((line) => line.link.peak_load || 0)), mean = Math.max(0, ...lines.map((line) => line.link.load || 0));
  return { nodes, lines, links: [...links.values()], bins, peak, mean, layout: inside.about.layout, bin_s: inside.about.bin_s };
}

function loadAt(line, bin) {
  if (bin < 0) return line.link.load || 0;
  return bin < line.link.bins.length ? loadOfByte[line.link.bins[bin]] : 0;
}

/** A round number at or above a load: where the colours end. */
function topOf(load) {
  if (load >= 0.5) return 1;
  const power = 10 ** Math.floor(Math.log10(load || 1e-6));
  return [1, 2, 5, 10].map((k) => k * power).find((v) => v >= load * 0.999);
}

const layoutWords = {
  star: "hosts around their switch", "fat-tree": "hosts below, switches above in their layers", torus: "the torus’s grid",
  dragonfly: "groups on a circle, their switches inside", force: "laid out by forces: what is joined is near",
};

class NetworkView {
  constructor(plot, network) {
    Object.assign(this, { plot, network, bin: -1, zoom: 1, panX: 0, panY: 0 });
    this.canvas = el("canvas", { class: "network" });
    plot.append(this.canvas);
    const xs = network.nodes.map((n) => n.x), ys = network.nodes.map((n) => n.y);
    this.bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    hoverBox(plot, this.canvas, (x, y) => this.describe(x, y));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(plot);
    onRedraw(() => this.resize());
    this.resize();
  }

  listen() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (e) => { if (this.zoom > 1) { from = [e.clientX - this.panX, e.clientY - this.panY]; this.canvas.setPointerCapture(e.pointerId); } });
    this.canvas.addEventListener("pointermove", (e) => {
      if (!from) return;
      [this.panX, this.panY] = [e.clientX - from[0], e.clientY - from[1]];
      this.place();
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { from = null; });
  }

  setZoom(zoom) {
    this.zoom = Math.min(16, Math.max(1, zoom));
    if (this.zoom === 1) this.panX = this.panY = 0;
    this.canvas.style.cursor = this.zoom > 1 ? "grab" : "";
    this.canvas.style.touchAction = this.zoom > 1 ? "none" : "";
    this.place();
    this.draw();
  }

  resize() {
    const [x0, y0, x1, y1] = this.bounds;
    this.width = this.plot.clientWidth;
    const aspect = this.network.layout === "fat-tree" ? 0.38 : (y1 - y0) / (x1 - x0 || 1);
    this.height = Math.round(Math.min(640, Math.max(240, this.width * Math.min(1, Math.max(0.3, aspect)))));
    this.place();
    this.draw();
  }

  /** Positions on the canvas, and every line as a path: straight, or bent where it would lie on others. */
  place() {
    const [x0, y0, x1, y1] = this.bounds, edge = this.network.layout === "torus" ? 40 : 22, { nodes, lines, layout } = this.network;
    let sx = (this.width - 2 * edge) / (x1 - x0 || 1), sy = (this.height - 2 * edge) / (y1 - y0 || 1);
    if (layout !== "fat-tree") sx = sy = Math.min(sx, sy);
    const cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
    this.at = nodes.map((n) => [this.width / 2 + this.panX + (n.x - cx) * sx * this.zoom, this.height / 2 + this.panY + (n.y - cy) * sy * this.zoom]);
    for (const line of lines) {
      const [ax, ay] = this.at[line.from], [bx, by] = this.at[line.to];
      const length = Math.hypot(bx - ax, by - ay) || 1, nx = -(by - ay) / length, ny = (bx - ax) / length;
      const aside = line.shared ? 1.6 * Math.min(this.zoom, 2) : 0;
      line.a = [ax + nx * aside, ay + ny * aside];
      line.b = [bx + nx * aside, by + ny * aside];
      const far = layout === "torus" && Math.hypot(nodes[line.to].x - nodes[line.from].x, nodes[line.to].y - nodes[line.from].y) > 1.6;
      line.bend = far ? [(ax + bx) / 2 + nx * (0.1 * length + 4), (ay + by) / 2 + ny * (0.1 * length + 4)] : null;
    }
  }

  draw() {
    const context = prepareCanvas(this.canvas, this.width, this.height), stops = heatStops();
    const { lines } = this.network, top = topOf(this.bin < 0 ? this.network.mean : this.network.peak);
    const buckets = Array.from({ length: LOAD_COLOURS + 1 }, () => []);
    for (const line of lines) {
      const load = loadAt(line, this.bin);
      buckets[load > 0 ? 1 + Math.min(LOAD_COLOURS - 1, Math.floor((load / top) * LOAD_COLOURS)) : 0].push(line);
    }
    const many = lines.length > 1500 ? 0.6 : 1;
    buckets.forEach((bucket, i) => {
      const share = i / LOAD_COLOURS;
      context.strokeStyle = i ? `rgb(${heatColour(0.14 + 0.86 * share, stops).join(",")})` : css("--line");
      context.globalAlpha = i ? 1 : 0.45;
      context.lineWidth = (i ? 1.1 + 2.6 * share : 0.8) * many * Math.min(1.6, Math.sqrt(this.zoom));
      for (let first = 0; first < bucket.length; first += LINES_OF_A_PATH) strokeLines(context, bucket.slice(first, first + LINES_OF_A_PATH));
    });
    context.globalAlpha = 1;
    this.drawNodes(context);
    this.colours = buckets.map((bucket) => bucket.length);
  }

  /** Each kind as one path: thousands of small ones would take longer than all lines. */
  drawNodes(context) {
    const room = this.nodeRoom(), size = Math.max(1.2, Math.min(9, room * 0.3)), paper = css("--paper");
    const styles = { host: [css("--accent"), paper], switch: [paper, css("--ink")], air: [paper, css("--ink")] };
    for (const kind of ["switch", "air", "host"]) {
      context.beginPath();
      this.network.nodes.forEach((node, i) => {
        const [x, y] = this.at[i];
        if (node.kind !== kind) return;
        if (kind === "switch" || size < 2.5) context.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
        else {
          const radius = kind === "air" ? size * 1.7 : size;
          context.moveTo(x + radius, y);
          context.arc(x, y, radius, 0, 7);
        }
      });
      [context.fillStyle, context.strokeStyle] = styles[kind];
      context.lineWidth = 1;
      context.fill();
      if (size > 2) context.stroke();
    }
    if (size > 6.5) this.drawRanks(context, Math.min(11, room * 0.5), paper);
  }

  drawRanks(context, height, colour) {
    context.font = `${height}px ${css("--sans")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colour;
    this.network.nodes.forEach((node, i) => {
      if (node.kind === "host") context.fillText(String(node.rank), this.at[i][0], this.at[i][1] + 0.5);
    });
  }

  /** Pixels between neighbouring hosts, about. */
  nodeRoom() {
    const hosts = this.network.nodes.flatMap((n, i) => (n.kind === "host" ? [this.at[i]] : []));
    let least = 40;
    for (let i = 1; i < hosts.length && i < 200; i++) least = Math.min(least, Math.max(2, Math.hypot(hosts[i][0] - hosts[i - 1][0], hosts[i][1] - hosts[i - 1][1])));
    return least;
  }

  describe(x, y) {
    const node = this.at.findIndex(([nx, ny]) => Math.hypot(nx - x, ny - y) < 6);
    if (node >= 0) return this.describeNode(this.network.nodes[node]);
    let best = null, near = 7;
    for (const line of this.network.lines) {
      const distance = line.bend ? Math.min(toSegment(x, y, line.a, mid(line)), toSegment(x, y, mid(line), line.b)) : toSegment(x, y, line.a, line.b);
      if (distance < near) [near, best] = [distance, line];
    }
    if (!best) return null;
    const { link } = best;
    const ends = [link.from_where && `from ${link.from_where}`, link.to_where && `to ${link.to_where}`].filter(Boolean).join(" ");
    return [link.link, `${bandwidth(link.bandwidth_Bps)}, ${seconds(link.latency_s)}`, `${bytes(link.bytes)} in all`,
      `load ${percent(loadAt(best, this.bin))}${this.bin < 0 ? " over the run" : " now"}, ${percent(link.peak_load)} at its peak`, ends].filter(Boolean);
  }

  describeNode(node) {
    if (node.kind === "switch") return ["switch"];
    return [node.name, node.kind === "air" ? "Wi-Fi: all stations share it" : `rank ${node.rank}`];
  }
}

function mid(line) {
  return [(line.a[0] + 2 * line.bend[0] + line.b[0]) / 4, (line.a[1] + 2 * line.bend[1] + line.b[1]) / 4];
}

function toSegment(x, y, [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

function strokeLines(context, lines) {
  context.beginPath();
  for (const line of lines) {
    context.moveTo(...line.a);
    if (line.bend) context.quadraticCurveTo(...line.bend, ...line.b);
    else context.lineTo(...line.b);
  }
  context.stroke();
}

/** Slider, play button and what they say. */
function networkControls(view, network, scale) {
  const say = el("output", { class: "when" });
  const slider = el("input", { type: "range", min: "-1", max: String(network.bins - 1), value: "-1", "aria-label": "moment of the run" });
  const show = () => {
    view.bin = Number(slider.value);
    view.draw();
    say.textContent = view.bin < 0 ? "whole run, mean" : `at ${seconds(view.bin * network.bin_s)} to ${seconds((view.bin + 1) * network.bin_s)}`;
    slider.setAttribute("aria-valuetext", say.textContent);
    scale(topOf(view.bin < 0 ? network.mean : network.peak));
  };
  slider.addEventListener("input", show);
  let timer = null;
  const play = el("button", { type: "button", class: "play", onclick: () => {
    if (timer) return stop();
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1 >= network.bins ? 0 : Number(slider.value) + 1);
      show();
    }, Math.max(60, 12000 / network.bins));
    play.textContent = "Pause";
  } }, "Play");
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  slider.addEventListener("pointerdown", stop);
  const whole = el("button", { type: "button", class: "play", onclick: () => { stop(); slider.value = "-1"; show(); } }, "Whole run");
  const zoom = (text, name, by) => el("button", { type: "button", class: "play", "aria-label": name, onclick: () => view.setZoom(by === 0 ? 1 : view.zoom * by) }, text);
  show();
  return el("div", { class: "player" }, network.bins > 1 ? play : null, network.bins > 1 ? whole : null, network.bins > 1 ? slider : null, say,
    el("span", { class: "zoom" }, zoom("−", "zoom out", 1 / 1.5), zoom("+", "zoom in", 1.5), zoom("fit", "show all", 0)));
}

function drawNetwork(host, inside) {
  const network = networkOf(inside);
  if (!network.lines.length) return;
  const hosts = network.nodes.filter((n) => n.kind === "host").length;
  const fig = figure("The network, as far as it was used", `${count(hosts)} hosts, ${count(network.links.length)} links: ${layoutWords[network.layout]}.`);
  host.append(fig.whole);
  const view = new NetworkView(fig.plot, network);
  const ends = el("span", {});
  const controls = networkControls(view, network, (top) => { ends.textContent = percent(top); });
  fig.plot.after(controls, el("p", { class: "scale" }, "load ", el("span", {}, "0 %"), el("span", { class: "ramp" }), ends));
  if (inside.about.lines_left_out) fig.whole.append(el("p", { class: "note" }, `${count(inside.about.lines_left_out)} lines of the links with the fewest bytes are left out.`));
  fig.fill(["link", "bandwidth", "latency", "bytes", "load", "at its peak", "busy"], network.links.slice(0, TABLE_ROWS).map((l) =>
    [l.link, bandwidth(l.bandwidth_Bps), seconds(l.latency_s), bytes(l.bytes), percent(l.load), percent(l.peak_load), seconds(l.busy_s)]),
    `Network of ${hosts} hosts; the most loaded link is ${network.links[0].link} with ${percent(network.links[0].load)}`);
  host.networkView = view;
}
