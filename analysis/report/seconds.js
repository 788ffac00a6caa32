// Where the time went: computing, encoding and decoding, communicating, waiting; means over the ranks of a run. What is
// sent while a rank computes costs no time of its own: it is computing here, and the table says how much it is.

const shares = [
  ["compute", "computing", (s) => s.compute - s.encode - s.decode],
  ["encode", "encoding and decoding", (s) => s.encode + s.decode],
  ["communication", "communicating", (s) => s.communication - s.both],
  ["waiting", "waiting", (s) => s.waiting],
];

/** The mean of a part of the seconds over the runs of a configuration that recorded them; null without any. */
function meanSeconds(c, part) {
  const all = c.runs.map((i) => data.runs[i].seconds).filter((s) => s.ranks);
  return all.length ? Math.max(0, all.reduce((sum, s) => sum + part(s), 0) / all.length) : null;
}

function partsOf(c) {
  return shares.map(([, , part]) => meanSeconds(c, part));
}

function totalOf(parts) {
  return parts.reduce((a, b) => a + b, 0) || 1;
}

function shareSeries(parts) {
  const last = shares.length - 1;
  const whole = {
    show: true,
    position: "right",
    formatter: (p) => seconds(totalOf(parts[p.dataIndex])),
    color: css("--soft"),
    fontSize: 12,
  };
  return shares.map(([key, name], i) => ({
    type: "bar",
    stack: "all",
    name,
    barMaxWidth: 20,
    barCategoryGap: "35%",
    data: parts.map((p) => Math.floor((1e6 * p[i]) / totalOf(p)) / 1e6), // a rounding above 1 would be cut off
    itemStyle: { color: css(`--t-${key}`) },
    emphasis: { disabled: true },
    label: i === last ? whole : { show: false },
  }));
}

function secondsOption(list) {
  const parts = list.map(partsOf);
  return {
    grid: { left: 12, right: 70, top: 6, bottom: 30, containLabel: true },
    xAxis: axis("", "value", percent, { min: 0, max: 1, scale: false }),
    yAxis: nameAxis(list.map((c) => c.label)),
    tooltip: tooltip("item", (p) => {
      const mine = parts[p.dataIndex][p.seriesIndex];
      return [
        list[p.dataIndex].label,
        { colour: p.color, text: `${p.seriesName}: ${seconds(mine)}, ${percent(p.value)}` },
      ];
    }),
    series: shareSeries(parts),
  };
}

const secondsHead = [
  "configuration",
  "computing",
  "encoding",
  "decoding",
  "communicating",
  "waiting",
  "sent while computing",
];

function secondsRow(c) {
  const [computing, , communicating, waiting] = partsOf(c);
  const [encoding, decoding, hidden] = ["encode", "decode", "both"].map((part) => meanSeconds(c, (s) => s[part]));
  return [c.label, ...[computing, encoding, decoding, communicating, waiting, hidden].map(seconds)];
}

function shareKeys() {
  const block = (key) => el("span", { class: "block", style: `background:var(--t-${key})` });
  return el("div", { class: "legend" }, ...shares.map(([key, name]) => el("span", {}, block(key), name)));
}

/** The bottleneck of each configuration, in words. */
function drawBottlenecks(host, shown) {
  const told = shown.map((c) => [c, data.runs[c.runs[0]].bottleneck]).filter(([, text]) => text);
  if (!told.length) return;
  const name = (c) => (settings.length > 1 ? `${c.setting}: ${c.label}` : c.label);
  const entries = told.slice(0, 24).flatMap(([c, text]) => [el("dt", {}, name(c)), el("dd", {}, text)]);
  host.append(el("h3", {}, "What held each up"), el("dl", { class: "told" }, ...entries));
}

function showSeconds() {
  const shown = configurations.filter((c) => meanSeconds(c, () => 0) !== null);
  if (!shown.length) return;
  const intro =
    "Of the whole run, mean over its ranks; what is sent while a rank computes counts as computing. " +
    "The number beside a bar is the run’s simulated time.";
  section("seconds", "Where the time went", intro, (host) => {
    host.append(shareKeys());
    const some = settings.filter((s) => shown.some((c) => c.setting === s));
    facets(host, some, (grid, setting) => {
      const list = shown.filter((c) => c.setting === setting);
      const fig = figure(settings.length > 1 ? setting : "Shares of the run", "");
      grid.append(fig.whole);
      drawChart(fig, 50 + 34 * list.length, () => secondsOption(list));
      fig.fill(secondsHead, list.map(secondsRow), `Where the time went, ${setting}`);
    });
    drawBottlenecks(host, shown);
  });
}
