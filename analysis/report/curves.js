// Accuracy and loss against simulated time, bytes or rounds: median and span over the seeds of a configuration.

const CURVE_POINTS = 160;

const measures = {
  accuracy: { text: "Test accuracy", from: "evaluations", column: "accuracy", format: percent },
  test: { text: "Test loss", from: "evaluations", column: "loss", format: plain },
  train: { text: "Training loss", from: "rounds", column: "loss", format: plain },
  consensus: { text: "Consensus distance", from: "evaluations", column: "consensus", format: plain },
};
const advances = {
  s: { text: "Simulated time", column: "s", format: seconds },
  bytes: { text: "Bytes sent by a worker", column: "bytes", format: bytes },
  round: { text: "Rounds", column: "round", format: count },
};

/** The points [x, y] of one run; what is not finite is left out. */
function pointsOf(run, measure, advance) {
  const columns = run[measure.from],
    per = advance === "bytes" ? run.about.workers : 1;
  const points = [];
  for (let i = 0; i < lengthOf(columns); i++) {
    const x = columns[advances[advance].column][i],
      y = columns[measure.column][i];
    if (x !== null && y !== null) points.push([x / per, y]);
  }
  return points;
}

/** The value of a run's curve at x; null outside of it. */
function valueAt(points, x) {
  if (!points.length || x < points[0][0] || x > points[points.length - 1][0]) return null;
  let low = 0,
    high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle;
    else high = middle;
  }
  const [x0, y0] = points[low],
    [x1, y1] = points[high];
  return x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b),
    middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** [x, median, least, most] over the runs of a configuration, as long as half of them go on. */
function curveOf(c, measure, advance) {
  const curves = c.runs.map((i) => pointsOf(data.runs[i], measure, advance)).filter((points) => points.length);
  if (!curves.length) return [];
  if (curves.length === 1) return curves[0].map(([x, y]) => [x, y, y, y]);
  const start = Math.max(...curves.map((points) => points[0][0]));
  const end = Math.max(...curves.map((points) => points[points.length - 1][0]));
  const grid = Array.from({ length: CURVE_POINTS }, (_, k) => start + ((end - start) * k) / (CURVE_POINTS - 1));
  return grid
    .map((x) => {
      const values = curves.map((points) => valueAt(points, x)).filter((y) => y !== null);
      return 2 * values.length < curves.length ? null : [x, median(values), Math.min(...values), Math.max(...values)];
    })
    .filter(Boolean);
}

/** The span over the seeds as a polygon: stacked areas would be wrong on a log axis. */
function bandSeries(c, curve, state) {
  const x = (point) => point[0];
  return {
    type: "custom",
    name: c.label,
    silent: true,
    z: 1,
    data: [[0, 0]],
    clip: true,
    renderItem: (_, api) => ({
      type: "polygon",
      shape: {
        points: [
          ...curve.map((p) => api.coord([x(p), Math.max(p[3], state.floor)])),
          ...[...curve].reverse().map((p) => api.coord([x(p), Math.max(p[2], state.floor)])),
        ],
      },
      style: { fill: colourOf(c.label), opacity: 0.16 },
    }),
  };
}

function curveSeries(c, curve) {
  return {
    type: "line",
    name: c.label,
    data: curve.map(([x, y]) => [x, y]),
    showSymbol: curve.length < 12,
    symbolSize: 5,
    z: 2,
    lineStyle: { width: 2, color: colourOf(c.label), type: dashOf(c.label).length ? dashOf(c.label) : "solid" },
    itemStyle: { color: colourOf(c.label) },
    emphasis: { disabled: true },
  };
}

function targetLine(state) {
  return {
    type: "line",
    data: [],
    silent: true,
    markLine: {
      silent: true,
      symbol: "none",
      data: [{ yAxis: data.target }],
      lineStyle: { color: css("--soft"), type: [4, 4], width: 1 },
      label: {
        formatter: `target ${percent(data.target)}`,
        position: "insideStartTop",
        color: css("--soft"),
        fontSize: 11,
      },
    },
  };
}

function curveOption(setting, state) {
  const measure = measures[state.measure],
    advance = advances[state.advance];
  const shown = within(setting)
    .filter((c) => !state.hidden.has(c.label))
    .map((c) => [
      c,
      curveOf(c, measure, state.advance).filter(
        (p) => (state.x !== "log" || p[0] > 0) && (state.y !== "log" || p[1] > 0),
      ),
    ])
    .filter(([, curve]) => curve.length);
  const xs = shown.flatMap(([, curve]) => curve.map((p) => p[0])),
    ys = shown.flatMap(([, curve]) => curve.map((p) => p[1]));
  state.floor = state.y === "log" ? Math.min(...ys.filter((y) => y > 0)) : -Infinity;
  const series = [];
  for (const [c, curve] of shown) {
    if (c.runs.length > 1) series.push(bandSeries(c, curve, state));
    series.push(curveSeries(c, curve));
  }
  if (state.measure === "accuracy" && data.target !== null) series.push(targetLine(state));
  return {
    xAxis: axis(
      advance.text,
      state.x,
      advance.format,
      state.x === "log" ? logRange(xs) : { min: 0, scale: false, splitNumber: isNarrow() ? 3 : 4 },
    ),
    yAxis: axis(
      "",
      state.y,
      measure.format,
      state.y === "log" ? logRange(ys) : state.measure === "accuracy" ? { max: 1 } : {},
    ),
    tooltip: tooltip("axis", (params) => {
      const drawn = params.filter((p) => p.seriesType === "line" && p.value.length);
      if (!drawn.length) return [];
      return [
        { text: `${advance.text}: ${advance.format(drawn[0].value[0])}` },
        ...drawn.map((p) => ({ colour: p.color, text: `${p.seriesName}: ${measure.format(p.value[1])}` })),
      ];
    }),
    series,
  };
}

/** What a curve came to, for the table: its last point, and its best. */
function curveRows(setting, state) {
  const measure = measures[state.measure],
    advance = advances[state.advance];
  return within(setting).map((c) => {
    const curve = curveOf(c, measure, state.advance);
    if (!curve.length) return [c.label, "–", "–", "–", "–"];
    const last = curve[curve.length - 1],
      half = curve[curve.length >> 1];
    return [
      c.label,
      advance.format(half[0]),
      measure.format(half[1]),
      advance.format(last[0]),
      measure.format(last[1]),
    ];
  });
}

function legend(state, changed) {
  if (labels.length < 2) return null;
  return el(
    "div",
    { class: "legend", role: "group", "aria-label": "configurations" },
    ...labels.map((label) => {
      const button = el(
        "button",
        {
          type: "button",
          "aria-pressed": "true",
          onclick: () => {
            if (state.hidden.has(label)) state.hidden.delete(label);
            else state.hidden.add(label);
            button.setAttribute("aria-pressed", String(!state.hidden.has(label)));
            changed();
          },
        },
        el("span", { class: "swatch", "data-label": label }),
        label,
      );
      return button;
    }),
  );
}

/** The same without buttons: which colour is what. */
function keyOfLabels() {
  const key = el(
    "div",
    { class: "legend" },
    ...labels.map((label) => el("span", {}, el("span", { class: "swatch", "data-label": label }), label)),
  );
  paintSwatches(key);
  onRedraw(() => paintSwatches(key));
  return key;
}

function paintSwatches(host) {
  for (const swatch of host.querySelectorAll(".swatch")) {
    const { label } = swatch.dataset,
      dash = dashOf(label).length;
    swatch.style.borderTop = `3px ${dash ? "dashed" : "solid"} ${colourOf(label)}`;
  }
}

function hasValues(measure) {
  return data.runs.some((run) => (run[measures[measure].from][measures[measure].column] || []).some((v) => v !== null));
}

function curveControls(kinds, state, set) {
  const scales = [
    ["value", "linear"],
    ["log", "log"],
  ];
  const named = (keys, list) => keys.map((key) => [key, list[key].text]);
  return el(
    "div",
    { class: "controls" },
    kinds.length > 1 ? choice("show", named(kinds, measures), state.measure, set("measure")) : null,
    choice("against", named(Object.keys(advances), advances), "s", set("advance")),
    choice("x axis", scales, "value", set("x")),
    choice("y axis", scales, state.y, set("y")),
  );
}

/** Logarithmic where values lie so far apart that a linear axis would show the largest alone. */
function firstScale(measure) {
  const { from, column } = measures[measure];
  const all = data.runs.flatMap((run) => run[from][column] || []).filter((v) => v > 0);
  return all.length && Math.max(...all) > 1000 * Math.min(...all) ? "log" : "value";
}

function drawCurves(host, kinds, id) {
  const state = { measure: kinds[0], advance: "s", x: "value", y: firstScale(kinds[0]), hidden: new Set(), floor: 0 };
  const panels = [];
  const update = () =>
    panels.forEach(({ fig, view, setting }) => {
      if (view) view.draw();
      const measure = measures[state.measure],
        advance = advances[state.advance];
      fig.fill(
        ["configuration", `${advance.text}, half way`, measure.text, `${advance.text}, at the end`, measure.text],
        curveRows(setting, state),
        `${measure.text} against ${advance.text.toLowerCase()}, ${setting}`,
      );
    });
  const set = (key) => (value) => {
    state[key] = value;
    if (key === "measure") state.y = value === "accuracy" ? "value" : state.y;
    update();
  };
  host.append(curveControls(kinds, state, set));
  const keys = legend(state, update);
  if (keys) {
    host.append(keys);
    paintSwatches(keys);
    onRedraw(() => paintSwatches(keys));
  }
  facets(host, settings, (grid, setting) => {
    const fig = figure(setting, "");
    grid.append(fig.whole);
    panels.push({
      fig,
      setting,
      view: drawChart(fig, settings.length > 1 ? 300 : 380, () => curveOption(setting, state)),
    });
  });
  host.dataset.view = id;
  update();
}

function showCurves() {
  const kinds = ["accuracy", "test", "train"].filter(hasValues);
  if (timingOnly && !kinds.length) return; // said at the top
  const seeds = Math.max(...configurations.map((c) => c.runs.length));
  const words =
    "Lines are medians over the seeds, shades reach from the least to the most; " +
    "they end when half of the runs have ended.";
  const intro = seeds > 1 ? words : "";
  section("curves", "How they learned", intro, (host) => {
    if (kinds.length) drawCurves(host, kinds, "curves");
    else if (data.runs.length) host.append(el("p", { class: "note" }, "No loss or accuracy was recorded."));
  });
}
