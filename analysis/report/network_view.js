// The network on a canvas of our own: ten thousand links must stay fluid. What does not change with time is drawn once,
// into two layers: all lines as idle ones, and the nodes. Between them come the lines that carry something, colour by
// colour. Where there are many they are one device pixel wide: that is drawn segment by segment, and a wider one would
// be filled as an area.

const LOAD_COLOURS = 24;
const MANY_LINES = 1500;
const IDLE = 0; // the colour of lines without a load; those with one have 1 .. LOAD_COLOURS

class NetworkView {
  constructor(plot, network) {
    Object.assign(this, { plot, network, bin: -1, zoom: 1, panX: 0, panY: 0, shown: null });
    this.canvas = el("canvas", { class: "network" });
    this.idle = el("canvas", {});
    this.nodes = el("canvas", {});
    plot.append(this.canvas);
    const xs = network.nodes.map((n) => n.x),
      ys = network.nodes.map((n) => n.y);
    this.bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    hoverBox(plot, this.canvas, (x, y) => this.describe(x, y));
    this.listen();
    new ResizeObserver(() => {
      if (plot.clientWidth !== this.width) this.resize();
    }).observe(plot);
    onRedraw(() => this.resize());
    this.resize();
  }

  listen() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (e) => {
      if (this.zoom === 1) return;
      from = [e.clientX - this.panX, e.clientY - this.panY];
      this.canvas.setPointerCapture(e.pointerId);
    });
    this.canvas.addEventListener("pointermove", (e) => {
      if (!from) return;
      [this.panX, this.panY] = [e.clientX - from[0], e.clientY - from[1]];
      this.place();
    });
    for (const end of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(end, () => {
        from = null;
      });
  }

  setZoom(zoom) {
    const before = this.zoom;
    this.zoom = Math.min(16, Math.max(1, zoom));
    this.panX *= this.zoom === 1 ? 0 : this.zoom / before;
    this.panY *= this.zoom === 1 ? 0 : this.zoom / before;
    this.canvas.style.cursor = this.zoom > 1 ? "grab" : "";
    this.canvas.style.touchAction = this.zoom > 1 ? "none" : "";
    this.place();
  }

  setBin(bin) {
    this.bin = bin;
    this.draw();
  }

  resize() {
    if (!this.plot.clientWidth) return; // taken out of the page, for another run's
    const [x0, y0, x1, y1] = this.bounds;
    this.width = this.plot.clientWidth;
    const aspect = this.network.layout === "fat-tree" ? 0.38 : (y1 - y0) / (x1 - x0 || 1);
    this.height = Math.round(Math.min(640, Math.max(240, this.width * Math.min(1, Math.max(0.3, aspect)))));
    this.place();
  }

  /** Positions on the canvas; then both layers, and the picture. */
  place() {
    const { nodes, layout } = this.network,
      [x0, y0, x1, y1] = this.bounds,
      edge = layout === "torus" ? 40 : 22;
    let sx = (this.width - 2 * edge) / (x1 - x0 || 1),
      sy = (this.height - 2 * edge) / (y1 - y0 || 1);
    if (layout !== "fat-tree") sx = sy = Math.min(sx, sy);
    const left = this.width / 2 + this.panX - ((x0 + x1) / 2) * sx * this.zoom;
    const top = this.height / 2 + this.panY - ((y0 + y1) / 2) * sy * this.zoom;
    this.at = new Float32Array(2 * nodes.length);
    nodes.forEach((node, i) => this.at.set([left + node.x * sx * this.zoom, top + node.y * sy * this.zoom], 2 * i));
    this.shapes = new LineShapes(this.network, this.at, this);
    this.visible = Int32Array.from({ length: this.shapes.count }, (_, i) => i).filter((i) => this.shapes.inView(i));
    this.ratio = screenRatio();
    this.many = this.visible.length > MANY_LINES;
    this.drawIdle();
    this.drawNodes();
    this.shown = null;
    this.draw();
  }

  // --- layers --------------------------------------------------------------------------------------------------------

  drawIdle() {
    const context = prepareCanvas(this.idle, this.width, this.height);
    context.strokeStyle = css("--line");
    context.globalAlpha = 0.45;
    context.lineWidth = this.widthOf(IDLE);
    context.beginPath();
    for (const i of this.visible) this.shapes.trace(context, i);
    context.stroke();
  }

  /** Each kind as one path: thousands of small ones would take longer than all lines. */
  drawNodes() {
    const context = prepareCanvas(this.nodes, this.width, this.height),
      room = this.nodeRoom();
    const size = Math.max(1.2, Math.min(9, room * 0.3)),
      paper = css("--paper");
    const styles = { host: [css("--accent"), paper], switch: [paper, css("--ink")], air: [paper, css("--ink")] };
    for (const kind of ["switch", "air", "host"]) {
      context.beginPath();
      this.network.nodes.forEach((node, i) => {
        if (node.kind === kind) traceNode(context, kind, this.at[2 * i], this.at[2 * i + 1], size);
      });
      [context.fillStyle, context.strokeStyle] = styles[kind];
      context.lineWidth = 1;
      context.fill();
      if (size > 2) context.stroke();
    }
    if (size > 6.5) this.writeRanks(context, Math.min(11, room * 0.5), paper);
  }

  writeRanks(context, height, colour) {
    context.font = `${height}px ${css("--sans")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colour;
    this.network.nodes.forEach((node, i) => {
      if (node.kind === "host") context.fillText(String(node.rank), this.at[2 * i], this.at[2 * i + 1] + 0.5);
    });
  }

  /** Pixels between neighbouring hosts, about: the least between those that follow each other. */
  nodeRoom() {
    const hosts = this.network.nodes.flatMap((node, i) => (node.kind === "host" ? [i] : [])).slice(0, 200);
    let room = 40;
    for (let k = 1; k < hosts.length; k++) {
      const [a, b] = [2 * hosts[k - 1], 2 * hosts[k]];
      room = Math.min(room, Math.max(2, Math.hypot(this.at[b] - this.at[a], this.at[b + 1] - this.at[a + 1])));
    }
    return room;
  }

  // --- the picture of a moment ---------------------------------------------------------------------------------------

  widthOf(colour) {
    if (this.many) return 1 / this.ratio;
    return (colour === IDLE ? 0.8 : 1.1 + (2.6 * colour) / LOAD_COLOURS) * Math.min(1.6, Math.sqrt(this.zoom));
  }

  /** Where the colours end now. */
  top() {
    return topOf(this.bin < 0 ? this.network.mean : this.network.peak);
  }

  /** The colour of each link now, by its byte. */
  coloursNow() {
    const { loads, links } = this.network,
      top = this.top(),
      first = (this.bin + 1) * links.length;
    const colourOfByte = loadOfByte.map((load) =>
      load > 0 ? 1 + Math.min(LOAD_COLOURS - 1, Math.floor((load / top) * LOAD_COLOURS)) : IDLE,
    );
    const colours = new Uint8Array(links.length);
    for (let link = 0; link < colours.length; link++) colours[link] = colourOfByte[loads[first + link]];
    return colours;
  }

  /** Nothing where the picture would stay as it is. */
  draw() {
    const colours = this.coloursNow();
    if (this.shown && this.shown.every((colour, link) => colour === colours[link])) return;
    this.shown = colours;
    const context = prepareCanvas(this.canvas, this.width, this.height),
      stops = heatStops();
    context.drawImage(this.idle, 0, 0, this.width, this.height);
    linesByColour(this.visible, this.network.lines.link, colours).forEach((lines, colour) => {
      if (colour === IDLE || !lines.length) return;
      context.strokeStyle = `rgb(${heatColour(0.14 + (0.86 * colour) / LOAD_COLOURS, stops).join(",")})`;
      context.lineWidth = this.widthOf(colour);
      context.beginPath();
      for (const i of lines) this.shapes.trace(context, i);
      context.stroke();
    });
    context.drawImage(this.nodes, 0, 0, this.width, this.height);
  }

  // --- what the pointer is at ----------------------------------------------------------------------------------------

  describe(x, y) {
    const node = this.network.nodes.find((_, i) => Math.hypot(this.at[2 * i] - x, this.at[2 * i + 1] - y) < 6);
    if (node) return describeNode(node);
    const line = this.shapes.nearest(x, y, 7);
    return line < 0 ? null : this.describeLink(this.network.lines.link[line]);
  }

  describeLink(i) {
    const link = this.network.links[i],
      load = percent(loadAt(this.network, i, this.bin));
    const down = link.down_s > 0 && `down for ${seconds(link.down_s)}, waited for ${seconds(link.stalled_s)}`;
    const ends = [link.from_where && `from ${link.from_where}`, link.to_where && `to ${link.to_where}`];
    return [
      link.link,
      `${bandwidth(link.bandwidth_Bps)}, ${seconds(link.latency_s)}`,
      `${bytes(link.bytes)} in all`,
      `load ${load}${this.bin < 0 ? " over the run" : " now"}, ${percent(link.peak_load)} at its peak`,
      down,
      ends.filter(Boolean).join(" "),
    ].filter(Boolean);
  }
}

function describeNode(node) {
  if (node.kind === "switch") return ["switch"];
  return [node.name, node.kind === "air" ? "Wi-Fi: all stations share it" : `rank ${node.rank}`];
}

function traceNode(context, kind, x, y, size) {
  if (kind === "switch" || size < 2.5) {
    context.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
    return;
  }
  const radius = kind === "air" ? size * 1.7 : size;
  context.moveTo(x + radius, y);
  context.arc(x, y, radius, 0, 7);
}

/** Lists of lines, one for each colour. */
function linesByColour(visible, linkOf, colours) {
  const lists = Array.from({ length: LOAD_COLOURS + 1 }, () => []);
  for (const i of visible) lists[colours[linkOf[i]]].push(i);
  return lists;
}
