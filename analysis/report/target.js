// Time to the target with its intervals, and time against bytes with the front that nothing else beats in both.

/** The seconds that a configuration is judged by: to the target, or of a round where nothing was evaluated. */
function secondsOf(c) {
  if (!timingOnly) return c.time[0];
  const each = c.runs
    .map((i) => data.runs[i].about)
    .filter((a) => a.rounds > 0 && a.simulated_s !== null)
    .map((a) => a.simulated_s / a.rounds);
  return each.length ? median(each) : null;
}

function bytesOf(c) {
  if (!timingOnly) return c.bytes[0];
  const each = c.runs
    .map((i) => data.runs[i].about)
    .filter((a) => a.rounds > 0)
    .map((a) => a.wire_bytes / a.rounds / a.workers);
  return each.length ? median(each) : null;
}

const targetText = data.target === null ? "the target" : percent(data.target).replace(".0 %", " %");
const timeName = timingOnly ? "Seconds of a round" : `Time to ${targetText}`;
const bytesName = timingOnly ? "Bytes that a worker sends in a round" : `Bytes that a worker sends until ${targetText}`;

function reachedText(c) {
  return c.reached === 0 && !timingOnly ? "not reached" : "";
}

/** An interval as a bar, the runs as ticks, the median as a dot. */
function intervalItem(c, row) {
  return (_, api) => {
    const at = (x) => api.coord([x, row]);
    const colour = colourOf(c.label),
      children = [];
    const whisker = c.time[1] !== null && c.time[2] !== null && !timingOnly;
    if (whisker) {
      const [a, y] = at(c.time[1]),
        [b] = at(c.time[2]);
      children.push({
        type: "rect",
        shape: { x: a, y: y - 4, width: Math.max(1, b - a), height: 8, r: 2 },
        style: { fill: colour, opacity: 0.28 },
      });
    }
    for (const x of timingOnly ? [] : c.times.filter((t) => t !== null)) {
      const [a, y] = at(x);
      children.push({
        type: "line",
        shape: { x1: a, x2: a, y1: y - 7, y2: y + 7 },
        style: { stroke: colour, lineWidth: 1, opacity: 0.6 },
      });
    }
    const [x, y] = at(secondsOf(c));
    children.push({
      type: "circle",
      shape: { cx: x, cy: y, r: 5.5 },
      style: { fill: colour, stroke: css("--paper"), lineWidth: 1.5 },
    });
    const text = { text: seconds(secondsOf(c)), fill: css("--soft"), font: `12px ${css("--sans")}` };
    children.push({ type: "text", style: { ...text, x, y: y - 21, align: "center" } });
    return { type: "group", children };
  };
}

function timeOption(setting, range) {
  const list = within(setting);
  const shown = list.filter((c) => secondsOf(c) !== null);
  return {
    grid: { left: 12, right: 40, top: 8, bottom: 34, containLabel: true },
    xAxis: wideAxis(timeName, range, seconds),
    yAxis: {
      ...nameAxis(list.map((c) => (reachedText(c) ? `${c.label} – ${reachedText(c)}` : c.label))),
      splitLine: { show: true, lineStyle: { color: css("--rule") } },
      boundaryGap: true,
    },
    tooltip: tooltip("item", (p) => [
      p.seriesName,
      `median ${seconds(secondsOf(shown[p.seriesIndex]))}`,
      ...(timingOnly ? [] : [intervalText(shown[p.seriesIndex])]),
    ]),
    series: shown.map((c) => ({
      type: "custom",
      name: c.label,
      data: [[secondsOf(c), list.indexOf(c)]],
      renderItem: intervalItem(c, list.indexOf(c)),
      itemStyle: { color: colourOf(c.label) },
    })),
  };
}

function intervalText(c) {
  const reached = `${c.reached} of ${c.runs.length} runs reached it`;
  if (c.time[1] !== null) return `95 % interval ${seconds(c.time[1])} to ${seconds(c.time[2])}; ${reached}`;
  const points = c.times.filter((t) => t !== null);
  return points.length > 1
    ? `from ${seconds(Math.min(...points))} to ${seconds(Math.max(...points))}; ${reached}`
    : reached;
}

function drawTimes(host) {
  const drawn = (c) =>
    [secondsOf(c), ...(timingOnly ? [] : [...c.times, c.time[1], c.time[2]])].filter((t) => t !== null);
  const all = configurations.flatMap(drawn);
  const spread = settings.length > 1 && Math.max(...all) / Math.min(...all) < 50;
  facets(host, settings, (grid, setting) => {
    const list = within(setting);
    const fig = figure(settings.length > 1 ? setting : timeName, "");
    grid.append(fig.whole);
    const own = list.flatMap(drawn);
    drawChart(fig, 70 + 42 * list.length, () => timeOption(setting, spread ? all : own));
    fig.fill(
      ["configuration", "median", "low", "high", "reached", "runs"],
      list.map((c) => [
        c.label,
        secondsOf(c) === null ? "not reached" : seconds(secondsOf(c)),
        seconds(c.time[1]),
        seconds(c.time[2]),
        timingOnly ? "–" : c.reached,
        c.runs.length,
      ]),
      `${timeName}, ${setting}`,
    );
  });
}

// --- time against bytes --------------------------------------------------------------------------------------------

/** The configurations of a setting of which there is a dot to draw. */
function dotsOf(setting) {
  return within(setting).filter((c) => secondsOf(c) !== null && bytesOf(c) !== null);
}

/** Those that no other beats in time and bytes at once, by time. */
function frontOf(list) {
  const good = list.filter((c) => secondsOf(c) !== null && bytesOf(c) !== null);
  return good
    .filter(
      (c) =>
        !good.some(
          (o) =>
            o !== c &&
            secondsOf(o) <= secondsOf(c) &&
            bytesOf(o) <= bytesOf(c) &&
            (secondsOf(o) < secondsOf(c) || bytesOf(o) < bytesOf(c)),
        ),
    )
    .sort((a, b) => secondsOf(a) - secondsOf(b));
}

/** Dots that would lie on each other share a name, which the first of them bears. */
function dotName(c, list) {
  const near = (a, b) => Math.abs(a - b) <= 0.01 * b;
  const same = list.filter((o) => near(bytesOf(o), bytesOf(c)) && near(secondsOf(o), secondsOf(c)));
  return same[0] === c ? same.map((o) => o.label).join("\n") : "";
}

const NAME_HEIGHT = 15, // pixels
  NAME_LETTER = 6.5, // of 12 pixel type, on average
  NAME_GAP = 15; // from a dot's middle

/** The room that a dot's name takes, before it is moved. */
function nameBox(chart, c, list, side) {
  const [x, y] = chart.convertToPixel({ seriesIndex: 1 }, [bytesOf(c), secondsOf(c)]);
  const lines = dotName(c, list).split("\n");
  const width = NAME_LETTER * Math.max(...lines.map((line) => line.length));
  const left = side === "left" ? x - NAME_GAP - width : x + NAME_GAP;
  return { c, left, right: left + width, y, top: y, height: NAME_HEIGHT * lines.length };
}

const meet = (a, b) =>
  a.left < b.right && b.left < a.right && a.top < b.top + b.height && b.top < a.top + a.height;

/** By how much each dot's name is moved down so that none lies on another. */
function spreadNames(chart, list, sideOf) {
  const moved = new Map(),
    placed = [];
  const boxes = list.filter((c) => dotName(c, list)).map((c) => nameBox(chart, c, list, sideOf(c)));
  for (const box of boxes.sort((a, b) => a.y - b.y)) {
    for (let other; (other = placed.find((b) => meet(box, b))); ) box.top = other.top + other.height;
    placed.push(box);
    moved.set(box.c, box.top - box.y);
  }
  return moved;
}

/** On which side of its dot a name has room. */
function sidesOf(list) {
  const middle = Math.sqrt(Math.min(...list.map(bytesOf)) * Math.max(...list.map(bytesOf)));
  return (c) => (bytesOf(c) > middle ? "left" : "right");
}

function paretoOption(setting, moved) {
  const good = dotsOf(setting),
    front = frontOf(good);
  const sideOf = sidesOf(good);
  const point = (c) => ({
    name: c.label,
    value: [bytesOf(c), secondsOf(c)],
    label: {
      position: sideOf(c),
      formatter: () => dotName(c, good),
      offset: [0, moved.get(c) || 0],
      color: colourOf(c.label), // a name that was moved may lie nearer to another dot
    },
    itemStyle: {
      color: front.includes(c) ? colourOf(c.label) : css("--paper"),
      borderColor: colourOf(c.label),
      borderWidth: 2,
    },
  });
  return {
    grid: { left: 12, right: 24, top: 22, bottom: 34, containLabel: true },
    xAxis: wideAxis(bytesName, good.map(bytesOf), bytes),
    yAxis: wideAxis("", good.map(secondsOf), seconds),
    tooltip: tooltip("item", (p) => (p.value ? [p.name, `${bytes(p.value[0])} a worker`, seconds(p.value[1])] : [])),
    series: [
      {
        type: "line",
        step: "end",
        silent: true,
        symbol: "none",
        data: front.map((c) => [bytesOf(c), secondsOf(c)]).reverse(),
        lineStyle: { color: css("--line"), width: 1.5 },
        z: 1,
      },
      {
        type: "scatter",
        symbolSize: 13,
        data: good.map(point),
        z: 2,
        label: { show: true, fontSize: 12, lineHeight: NAME_HEIGHT, distance: 8 },
      },
    ],
  };
}

function drawPareto(host) {
  const shown = settings.filter((setting) => dotsOf(setting).length > 1);
  if (!shown.length) return;
  host.append(
    el("h3", {}, "Time against bytes"),
    el("p", { class: "intro" }, "Full dots are the front: nothing else is better in both. Hollow ones are beaten."),
  );
  facets(host, shown, (grid, setting) => {
    const front = frontOf(within(setting));
    const fig = figure(settings.length > 1 ? setting : "Time against bytes", "");
    grid.append(fig.whole);
    const moved = new Map();
    const view = drawChart(fig, 320, () => paretoOption(setting, moved));
    if (view) {
      const good = dotsOf(setting);
      spreadNames(view.chart, good, sidesOf(good)).forEach((by, c) => moved.set(c, by));
      view.draw();
    }
    fig.fill(
      ["configuration", "bytes a worker", "time", "on the front"],
      within(setting).map((c) => [
        c.label,
        bytes(bytesOf(c)),
        secondsOf(c) === null ? "not reached" : seconds(secondsOf(c)),
        front.includes(c) ? "yes" : "no",
      ]),
      `Time against bytes, ${setting}`,
    );
  });
}

/** What the marks are. */
function marksText() {
  if (timingOnly) return "";
  if (configurations.every((c) => c.runs.length < 2)) return "Each dot is one run.";
  const intervals = configurations.some((c) => c.time[1] !== null);
  const bars = intervals ? ", bars 95 % intervals (bootstrap, from six runs on)" : "";
  return `Dots are medians${bars}, ticks the runs themselves.`;
}

function showTarget() {
  const single = configurations.length < 2 && configurations.every((c) => c.runs.length < 2);
  if (single) return; // one number, and the answer has said it
  if (!configurations.some((c) => secondsOf(c) !== null) || configurations.every((c) => c.unfinished)) return;
  section("target", timingOnly ? "How long a round takes" : "When they got there", marksText(), (host) => {
    drawTimes(host);
    drawPareto(host);
  });
}
