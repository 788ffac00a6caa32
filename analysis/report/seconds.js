// Where the time went: computing, communicating, both at once, waiting; means over the ranks of a run.

const shares = [
  ["compute", "computing", (s) => s.compute - s.both],
  ["both", "computing and communicating", (s) => s.both],
  ["communication", "communicating", (s) => s.communication - s.both],
  ["waiting", "waiting", (s) => s.waiting],
];

/** Mean seconds over the runs of a configuration that recorded them; null without any. */
function partsOf(c) {
  const all = c.runs.map((i) => data.runs[i].seconds).filter((s) => s.ranks);
  if (!all.length) return null;
  return shares.map(([, , get]) => Math.max(0, all.reduce((sum, s) => sum + get(s), 0) / all.length));
}

function secondsOption(list) {
  const parts = list.map(partsOf), wide = innerWidth > 640;
  const total = (p) => p.reduce((a, b) => a + b, 0) || 1;
  return {
    grid: { left: 12, right: 70, top: 6, bottom: 30, containLabel: true },
    xAxis: axis("", "value", percent, { min: 0, max: 1, scale: false }),
    yAxis: axis("", "category", (t) => t, {
      data: list.map((c) => c.label), inverse: true, axisLabel: { color: css("--ink"), fontSize: wide ? 13 : 12, lineHeight: 14, width: wide ? 220 : 116, overflow: "break" },
    }),
    tooltip: tooltip("item", (p) => [list[p.dataIndex].label, { colour: p.color, text: `${p.seriesName}: ${seconds(parts[p.dataIndex][p.seriesIndex])}, ${percent(p.value)}` }]),
    series: shares.map(([key, name], i) => ({
      type: "bar", stack: "all", name, barMaxWidth: 20, barCategoryGap: "35%", data: parts.map((p) => p[i] / total(p)),
      itemStyle: { color: css(`--t-${key}`) }, emphasis: { disabled: true },
      label: i === shares.length - 1 ? { show: true, position: "right", formatter: (p) => seconds(total(parts[p.dataIndex])), color: css("--soft"), fontSize: 12 } : { show: false },
    })),
  };
}

function showSeconds() {
  const shown = configurations.filter(partsOf);
  if (!shown.length) return;
  section("seconds", "Where the time went", "Of the whole run, mean over its ranks. The number beside a bar is the run’s simulated time.", (host) => {
    const keys = el("div", { class: "legend" }, ...shares.map(([key, name]) =>
      el("span", {}, el("span", { class: "block", style: `background:var(--t-${key})` }), name)));
    host.append(keys);
    facets(host, settings.filter((s) => shown.some((c) => c.setting === s)), (grid, setting) => {
      const list = shown.filter((c) => c.setting === setting);
      const fig = figure(settings.length > 1 ? setting : "Shares of the run", "");
      grid.append(fig.whole);
      drawChart(fig, 50 + 34 * list.length, () => secondsOption(list));
      fig.fill(["configuration", ...shares.map(([, name]) => name)], list.map((c) => [c.label, ...partsOf(c).map(seconds)]), `Where the time went, ${setting}`);
    });
    const told = shown.map((c) => [c, data.runs[c.runs[0]].bottleneck]).filter(([, text]) => text);
    if (told.length) host.append(el("h3", {}, "What held each up"), el("dl", { class: "told" },
      ...told.slice(0, 24).flatMap(([c, text]) => [el("dt", {}, settings.length > 1 ? `${c.setting}: ${c.label}` : c.label), el("dd", {}, text)])));
  });
}
