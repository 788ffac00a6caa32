// Heat maps on a canvas of our own: one cell may be a pixel, and there may be a quarter of a million of them.

const heatStops = () =>
  isDark()
    ? [
        [28, 32, 36],
        [58, 63, 110],
        [158, 62, 110],
        [238, 128, 76],
        [250, 224, 140],
      ]
    : [
        [247, 245, 240],
        [246, 214, 140],
        [232, 138, 82],
        [170, 52, 88],
        [66, 26, 84],
      ];

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches && !printing.matches;
}

/** A colour between 0 and 1. */
function heatColour(share, stops) {
  const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1),
    i = Math.floor(at),
    t = at - i;
  return stops[i].map((v, k) => Math.round(v + (stops[i + 1][k] - v) * t));
}

/** Device pixels to a CSS pixel: more than two a side would cost more than anybody sees. */
function screenRatio() {
  return Math.min(2, devicePixelRatio || 1);
}

/** Sets a canvas to its size on this screen; returns its context in CSS pixels. */
function prepareCanvas(canvas, width, height) {
  const ratio = screenRatio();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** A box that follows the pointer and says what is there. */
function hoverBox(host, canvas, at) {
  const box = el("div", { class: "hover", hidden: "" });
  host.append(box);
  const move = (event) => {
    const frame = canvas.getBoundingClientRect();
    const x = event.clientX - frame.left,
      y = event.clientY - frame.top,
      lines = at(x, y);
    box.hidden = !lines;
    if (!lines) return;
    box.replaceChildren(...lines.map((text, i) => el(i ? "div" : "b", {}, text)));
    const left = canvas.offsetLeft + Math.min(Math.max(0, x + 14), Math.max(0, frame.width - box.offsetWidth - 4));
    box.style.left = `${left}px`;
    const below = y + 18 + box.offsetHeight <= frame.height;
    box.style.top = `${canvas.offsetTop + (below ? y + 18 : y - box.offsetHeight - 10)}px`;
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerdown", move);
  canvas.addEventListener("pointerleave", () => {
    box.hidden = true;
  });
  return box;
}

/** The least value above 0, and the most. */
function extentOf(map) {
  let least = Infinity;
  let most = 0;
  for (let i = 0; i < map.rows; i++)
    for (let k = 0; k < map.columns; k++) {
      const value = map.value(i, k);
      most = Math.max(most, value);
      if (value > 0) least = Math.min(least, value);
    }
  return { least, most };
}

/** A value as a share of the colours; 0 is nothing, also where the scale is logarithmic. */
function shareOf(value, { least, most }, logarithmic) {
  if (value <= 0) return 0;
  if (logarithmic && most > least) return 0.08 + (0.92 * Math.log(value / least)) / Math.log(most / least);
  return value / (most || 1);
}

/** Width and height of a cell, in pixels. */
function cellOf(map, inner) {
  const width = inner / map.columns;
  const most = Math.min(28, 520 / map.rows);
  if (map.square) return [Math.min(width, most), Math.min(width, most)];
  return [width, Math.min(most, Math.max(320 / map.rows, 4))];
}

function drawCells(context, map, box, cell, extent) {
  const stops = heatStops();
  const [width, height] = cell.map((size) => Math.ceil(size) - (size > 6 ? 1 : 0)); // large ones have a gap
  for (let i = 0; i < map.rows; i++)
    for (let k = 0; k < map.columns; k++) {
      const share = shareOf(map.value(i, k), extent, map.log);
      context.fillStyle = `rgb(${heatColour(share, stops).join(",")})`;
      context.fillRect(box.left + k * cell[0], box.top + i * cell[1], width, height);
    }
}

function heatScale(map, { least, most }) {
  const logarithmic = map.log && most > least;
  const from = logarithmic ? `0, then ${map.format(least)}` : map.format(0);
  const ramp = [el("span", {}, from), el("span", { class: "ramp" }), el("span", {}, map.format(most))];
  return el("p", { class: "scale" }, ...ramp, logarithmic ? " (logarithmic)" : "");
}

/** map: {title, caption, rows, columns, value(i, k), rowName(i), columnName(k), rowTitle, columnTitle, format} and,
 * where wanted, {square, log, rowLabels}. */
function drawHeat(host, map) {
  const fig = figure(map.title, map.caption);
  host.append(fig.whole);
  const canvas = el("canvas", { class: "heat" });
  fig.plot.append(canvas);
  const extent = extentOf(map);
  const longest = map.rowLabels ? Math.max(...Array.from({ length: map.rows }, (_, i) => map.rowName(i).length)) : 0;
  const box = { left: map.rowLabels ? Math.min(150, 10 + 7 * longest) : 46, top: 8, bottom: 40 };
  let cell = [1, 1];
  const draw = () => {
    const width = fig.plot.clientWidth;
    cell = cellOf(map, Math.max(40, width - box.left - 8));
    const height = Math.ceil(box.top + cell[1] * map.rows + box.bottom);
    const context = prepareCanvas(canvas, width, height);
    drawCells(context, map, box, cell, extent);
    labelHeat(context, map, box, cell, width, height);
  };
  onRedraw(draw);
  new ResizeObserver(draw).observe(fig.plot);
  hoverBox(fig.plot, canvas, (x, y) => {
    const i = Math.floor((y - box.top) / cell[1]);
    const k = Math.floor((x - box.left) / cell[0]);
    if (i < 0 || k < 0 || i >= map.rows || k >= map.columns) return null;
    const where = [`${map.rowTitle} ${map.rowName(i)}`, `${map.columnTitle} ${map.columnName(k)}`];
    return [map.format(map.value(i, k)), ...where];
  });
  draw();
  fig.whole.append(heatScale(map, extent));
  return fig;
}

function labelHeat(context, map, box, cell, width, height) {
  context.fillStyle = css("--soft");
  context.font = `12px ${css("--sans")}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const every = (size, room) => Math.max(1, Math.ceil(room / size));
  for (let i = 0; i < map.rows; i += every(cell[1], 16))
    context.fillText(map.rowName(i), box.left - 6, box.top + (i + 0.5) * cell[1]);
  context.textAlign = "center";
  for (let k = 0; k < map.columns; k += every(cell[0], 44))
    context.fillText(map.columnName(k), box.left + (k + 0.5) * cell[0], height - box.bottom + 12);
  context.textAlign = "left";
  context.fillText(`${map.columnTitle} →`, box.left, height - 10);
  if (map.rowLabels) return;
  context.save();
  context.translate(8, box.top + (cell[1] * map.rows) / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(`← ${map.rowTitle}`, 0, 2);
  context.restore();
}
