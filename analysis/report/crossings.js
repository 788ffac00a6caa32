// Where curves cross: from which size or bandwidth on another configuration is the better one.

const unitSizes = {
  bps: 1 / 8,
  kbps: 1e3 / 8,
  Mbps: 1e6 / 8,
  Gbps: 1e9 / 8,
  Tbps: 1e12 / 8,
  Bps: 1,
  kBps: 1e3,
  MBps: 1e6,
  GBps: 1e9,
  TBps: 1e12,
  ns: 1e-9,
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  min: 60,
  h: 3600,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  "": 1,
};

/** "25Gbps" as {value, unit family}; null for what is no quantity. */
function quantityOf(text) {
  const match = /^([0-9.]+(?:e[+-]?[0-9]+)?)\s*([A-Za-z]*)$/.exec(text);
  if (!match || !(match[2] in unitSizes)) return null;
  const family = match[2].endsWith("ps")
    ? bandwidth
    : match[2].endsWith("s") || match[2] === "min" || match[2] === "h"
      ? seconds
      : match[2]
        ? bytes
        : count;
  return { value: Number(match[1]) * unitSizes[match[2]], format: family };
}

/** What the study varies of its platform: {name, format, values: setting -> number}, or null. */
function variedQuantity() {
  const keys = data.varied.filter((key) => /^(platform|network)\./.test(key));
  for (const key of keys) {
    const values = new Map(),
      all = settings.map((s) => quantityOf(data.runs[within(s)[0].runs[0]].configuration[key] || ""));
    if (all.some((q) => q === null)) continue;
    settings.forEach((s, i) => values.set(s, all[i].value));
    if (new Set(values.values()).size > 1) return { name: key.split(".")[1], format: all[0].format, values, key };
  }
  const slowest = new Map(settings.map((s) => [s, data.runs[within(s)[0].runs[0]].about.slowest_link_Bps]));
  if (
    keys.includes("platform.file") &&
    settings.length > 2 &&
    new Set(slowest.values()).size === settings.length &&
    ![...slowest.values()].includes(null)
  )
    return { name: "bandwidth of the slowest link", format: bandwidth, values: slowest, key: "platform.file" };
  return null;
}

/** Lines that may be compared: settings that agree in all else, in order of the quantity. */
function familiesOf(quantity) {
  const families = new Map();
  for (const s of settings) {
    const run = data.runs[within(s)[0].runs[0]];
    const rest =
      quantity.key === "platform.file"
        ? ""
        : data.varied
            .filter((k) => k !== quantity.key && /^(platform|network)\./.test(k))
            .map((k) => run.configuration[k])
            .join(", ");
    if (!families.has(rest)) families.set(rest, []);
    families.get(rest).push(s);
  }
  for (const list of families.values()) list.sort((a, b) => quantity.values.get(a) - quantity.values.get(b));
  return [...families].filter(([, list]) => list.length > 1);
}

/** [x, seconds] of a configuration over the settings of a family; those that did not reach the target are left out. */
function lineOf(label, list, quantity) {
  return list
    .map((s) => {
      const c = within(s).find((one) => one.label === label),
        time = c ? secondsOf(c) : null;
      return time === null ? null : [quantity.values.get(s), time];
    })
    .filter(Boolean);
}

/** Where two lines cross, between neighbours, straight in logarithms: [x, the one that is faster below, above]. */
function crossingsOf(list, quantity) {
  const found = [];
  labels.forEach((a, i) =>
    labels.slice(i + 1).forEach((b) => {
      const one = new Map(lineOf(a, list, quantity)),
        other = new Map(lineOf(b, list, quantity));
      const xs = [...one.keys()].filter((x) => other.has(x));
      for (let k = 1; k < xs.length; k++) {
        const before = Math.log(one.get(xs[k - 1]) / other.get(xs[k - 1])),
          after = Math.log(one.get(xs[k]) / other.get(xs[k]));
        if (before * after >= 0) continue;
        const share = before / (before - after);
        found.push({
          x: xs[k - 1] * (xs[k] / xs[k - 1]) ** share,
          below: before < 0 ? a : b,
          above: before < 0 ? b : a,
        });
      }
    }),
  );
  return found;
}

function crossingOption(list, quantity) {
  const lines = labels.map((label) => [label, lineOf(label, list, quantity)]).filter(([, line]) => line.length);
  const xs = [...new Set(list.map((s) => quantity.values.get(s)))];
  return {
    xAxis: axis(quantity.name, "log", quantity.format, {
      ...logRange(xs),
      axisTick: { show: false, customValues: xs },
      axisLabel: { customValues: xs },
    }),
    yAxis: wideAxis(
      "",
      lines.flatMap(([, line]) => line.map((p) => p[1])),
      seconds,
    ),
    tooltip: tooltip("axis", (params) => [
      { text: `${quantity.name}: ${quantity.format(params[0].value[0])}` },
      ...params.map((p) => ({ colour: p.color, text: `${p.seriesName}: ${seconds(p.value[1])}` })),
    ]),
    series: lines.map(([label, line]) => ({
      type: "line",
      name: label,
      data: line,
      symbolSize: 7,
      symbol: "circle",
      itemStyle: { color: colourOf(label) },
      lineStyle: { width: 2, color: colourOf(label), type: dashOf(label).length ? dashOf(label) : "solid" },
    })),
  };
}

/** "8 bits is faster than 32 below about 9 Gbit/s, and slower above." */
function crossingItem(c, quantity) {
  const at = quantity.format === count ? trim3(c.x) : quantity.format(c.x);
  return el("li", {}, el("b", {}, c.below), ` is faster than ${c.above} below about ${at}, and slower above.`);
}

function crossingRow(label, list, quantity) {
  const line = new Map(lineOf(label, list, quantity));
  const cell = (x) => (line.has(x) ? seconds(line.get(x)) : "not reached");
  return [label, ...list.map((s) => cell(quantity.values.get(s)))];
}

function drawCrossings(grid, rest, list, quantity) {
  const crossings = crossingsOf(list, quantity);
  const fig = figure(rest || timeName, "");
  grid.append(fig.whole);
  drawChart(fig, 340, () => crossingOption(list, quantity));
  const head = ["configuration", ...list.map((s) => quantity.format(quantity.values.get(s)))];
  fig.fill(
    head,
    labels.map((label) => crossingRow(label, list, quantity)),
  );
  const items = crossings.slice(0, 12).map((c) => crossingItem(c, quantity));
  const none = el("p", { class: "note" }, "No two lines cross: what is faster is so everywhere.");
  fig.whole.append(items.length ? el("ul", { class: "plain" }, ...items) : none);
}

function showCrossings() {
  const quantity = variedQuantity();
  if (!quantity || labels.length < 2) return;
  const intro = `${timeName} by ${quantity.name}. Between two settings the lines are a guess, straight in logarithms.`;
  section("crossings", "Where it turns", intro, (host) => {
    host.append(keyOfLabels());
    facets(host, familiesOf(quantity), (grid, [rest, list]) => drawCrossings(grid, rest, list, quantity));
  });
}
