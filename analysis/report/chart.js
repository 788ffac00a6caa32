// Charts by Apache ECharts. Without it the tables behind the pictures are shown, and why.

const charts = [];
const printing = matchMedia("print");

function missingNote() {
  return el(
    "p",
    { class: "note missing" },
    `This page has no charts: ${globalThis.chartsMissing || "their library is not in it"}. Their tables follow.`,
  );
}

/** Draws option() into a figure's plot, again whenever colours or sizes change. */
function drawChart(fig, height, option) {
  if (!globalThis.echarts) {
    fig.plot.remove();
    fig.whole.classList.add("bare");
    return null;
  }
  fig.plot.style.height = `${height}px`;
  const chart = echarts.init(fig.plot, null, { renderer: "svg" });
  const draw = () => {
    chart.setOption({ ...common(), ...option() }, { notMerge: true });
  };
  draw();
  onRedraw(draw);
  charts.push(chart);
  new ResizeObserver(() => chart.resize()).observe(fig.plot);
  return {
    chart,
    draw,
    height(h) {
      fig.plot.style.height = `${h}px`;
      chart.resize();
    },
  };
}

function common() {
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { fontFamily: css("--sans"), fontSize: 12, color: css("--ink") },
    grid: { left: 12, right: 26, top: 14, bottom: 34, containLabel: true },
  };
}

/** An axis. kind: "value" | "log" | "category". format: number -> text. */
function axis(name, kind, format, more = {}) {
  return {
    type: kind,
    name,
    nameLocation: "middle",
    nameGap: 28,
    scale: kind !== "category",
    minorTick: { show: kind === "log" },
    nameTextStyle: { color: css("--soft"), fontSize: 12 },
    axisLine: { show: false, lineStyle: { color: css("--line") } },
    axisTick: { show: false },
    splitLine: { show: kind !== "category", lineStyle: { color: css("--rule"), width: 1 } },
    ...more,
    axisLabel: { color: css("--soft"), fontSize: 12, hideOverlap: true, formatter: format, ...more.axisLabel },
  };
}

/** A tooltip whose content is built of elements, so that no name is read as markup. lines(params) gives texts. */
function tooltip(trigger, lines) {
  return {
    trigger,
    confine: true,
    backgroundColor: css("--paper"),
    borderColor: css("--line"),
    borderWidth: 1,
    padding: [6, 10],
    textStyle: { color: css("--ink"), fontSize: 12 },
    axisPointer: { lineStyle: { color: css("--line") } },
    formatter: (params) => {
      const texts = lines(params);
      return el(
        "div",
        {},
        ...texts.map((line, i) =>
          el(
            "div",
            {},
            line.colour ? el("span", { class: "key", style: `background:${line.colour}` }) : null,
            i === 0 && !line.colour ? el("b", {}, line.text || line) : line.text || line,
          ),
        ),
      );
    },
  };
}

/** Facets: a grid of figures, one for each entry. */
function facets(host, entries, make) {
  const grid = el("div", { class: entries.length > 1 ? "facets" : "single" });
  host.append(grid);
  return entries.map((entry) => make(grid, entry));
}

function isNarrow() {
  return innerWidth <= 640;
}

/** An axis of names, from above; long ones are broken. */
function nameAxis(names) {
  return axis("", "category", (text) => text, {
    data: names,
    inverse: true,
    axisLabel: {
      color: css("--ink"),
      fontSize: isNarrow() ? 12 : 13,
      lineHeight: 14,
      width: isNarrow() ? 116 : 220,
      overflow: "break",
    },
  });
}

/** Where ticks stand in each power of ten, so that there are about five over so many. */
function stepsOver(decades) {
  if (decades > 4) return [1];
  if (decades > 2) return [1, 3];
  return decades > 0.6 || isNarrow() ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
}

/** Ticks of a logarithmic axis, which ends a little beyond what is drawn. */
function logRange(values) {
  const good = values.filter((v) => v > 0 && Number.isFinite(v));
  if (!good.length) return {};
  const low = Math.min(...good);
  const high = Math.max(...good);
  const air = Math.max(1.1, (high / low) ** 0.07);
  const steps = stepsOver(Math.log10(high / low));
  const ticks = [];
  for (let power = Math.floor(Math.log10(low / air)); power <= Math.log10(high * air); power++)
    for (const step of steps) ticks.push(Number(`${step}e${power}`));
  const inside = ticks.filter((tick) => tick >= low / air && tick <= high * air);
  return {
    min: low / air,
    max: high * air,
    axisTick: { show: false, customValues: inside },
    axisLabel: { customValues: inside },
    minorTick: { show: false },
  };
}

/** An axis for values that may lie far apart: logarithmic where they do. */
function wideAxis(name, values, format, more) {
  const good = values.filter((v) => v > 0 && Number.isFinite(v));
  if (good.length && Math.max(...good) < 2.5 * Math.min(...good)) {
    const low = Math.min(...good);
    const high = Math.max(...good);
    const air = (high - low || low) * 0.15;
    return axis(name, "value", format, {
      min: Math.max(0, low - air),
      max: high + air,
      splitNumber: isNarrow() ? 3 : 4,
      ...more,
      axisLabel: { showMinLabel: false, showMaxLabel: false },
    });
  }
  return axis(name, "log", format, { ...logRange(values), ...more });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
printing.addEventListener("change", () => {
  charts.forEach((chart) => chart.resize());
  redrawAll();
});
