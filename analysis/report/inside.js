// One run from inside: its ranks step by step, its network, who sent to whom, what each rank holds.

/** The name of a row of `block` ranks. */
function blockName(i, block, workers) {
  return block === 1 ? String(i) : `${i * block}–${Math.min(workers, (i + 1) * block) - 1}`;
}

function drawPairs(host, inside) {
  const pairs = rowsOf(inside.pairs);
  if (!pairs.length) return;
  const { block } = pairs[0],
    workers = data.runs[inside.run].about.workers,
    side = Math.ceil(workers / block);
  const cells = new Float64Array(side * side);
  for (const p of pairs) cells[(p.from_rank / block) * side + p.to_rank / block] = p.bytes;
  const name = (i) => blockName(i, block, workers);
  const fig = drawHeat(host, {
    title: "Who sent how much to whom",
    caption: block > 1 ? `${block} ranks to a cell.` : "",
    rows: side,
    columns: side,
    square: true,
    log: true,
    value: (i, k) => cells[i * side + k],
    rowName: name,
    columnName: name,
    rowTitle: "from rank",
    columnTitle: "to rank",
    format: bytes,
  });
  fig.fill(
    ["from rank", "to rank", "bytes"],
    [...pairs]
      .sort((a, b) => b.bytes - a.bytes)
      .map((p) => [name(p.from_rank / block), name(p.to_rank / block), bytes(p.bytes)]),
  );
}

function drawClasses(host, inside) {
  const list = rowsOf(inside.classes),
    workers = data.runs[inside.run].about.workers;
  if (!list.length) return;
  const classes = 1 + Math.max(...list.map((c) => c.class)),
    block = Math.ceil(workers / 256),
    rows = Math.ceil(workers / block);
  const cells = new Float64Array(rows * classes);
  for (const c of list) cells[Math.floor(c.rank / block) * classes + c.class] += c.samples;
  const name = (i) => blockName(i, block, workers);
  const fig = drawHeat(host, {
    title: "Which classes each rank holds",
    caption: "Samples of the training data.",
    rows: classes,
    columns: rows,
    value: (i, k) => cells[k * classes + i],
    rowName: String,
    columnName: name,
    rowTitle: "class",
    columnTitle: "rank",
    format: count,
  });
  fig.fill(
    ["rank", ...Array.from({ length: classes }, (_, k) => `class ${k}`)],
    Array.from({ length: rows }, (_, i) => [name(i), ...cells.slice(i * classes, (i + 1) * classes)]),
  );
}

function drawFactors(host, inside) {
  const list = rowsOf(inside.factors);
  if (!list.length) return;
  const weights = [...new Set(list.map((f) => f.weight))],
    last = Math.max(...list.map((f) => f.round)),
    step = Math.max(1, Math.ceil(last / 240)),
    columns = Math.ceil(last / step);
  const cells = new Float64Array(weights.length * columns);
  for (const f of list) cells[weights.indexOf(f.weight) * columns + Math.floor((f.round - 1) / step)] = f.rank;
  const fig = drawHeat(host, {
    title: "Rank of each layer over time",
    caption: "Empty where a weight was not a product of factors.",
    rows: weights.length,
    columns,
    rowLabels: true,
    value: (i, k) => cells[i * columns + k],
    rowName: (i) => weights[i],
    columnName: (k) => String(k * step + 1),
    rowTitle: "weight",
    columnTitle: "round",
    format: count,
  });
  fig.fill(
    ["weight", "least", "most", "last"],
    weights.map((w) => {
      const ranks = list.filter((f) => f.weight === w).map((f) => f.rank);
      return [w, Math.min(...ranks), Math.max(...ranks), ranks[ranks.length - 1]];
    }),
  );
}

function drawCollectives(host, inside) {
  const collectives = rowsOf(inside.collectives);
  if (!collectives.length) return;
  const rows = collectives.map((c) => [
    c.kind,
    c.group_size,
    count(c.uses),
    seconds(c.mean_s),
    seconds(c.closed_form_s),
    c.closed_form_s ? (c.mean_s / c.closed_form_s).toFixed(3) : "–",
    bytes(c.wire_bytes),
  ]);
  const head = ["kind", "ranks", "uses", "seconds", "closed form", "ratio", "bytes"];
  const caption = "Mean over the run; the closed form knows no contention.";
  host.append(el("h3", {}, "Collectives against their closed forms"), table(caption, head, rows));
}

function drawPhases(host, inside) {
  const phases = rowsOf(inside.phases);
  if (!phases.length) return;
  const rows = phases.map((p) => [
    p.phase,
    p.first_round,
    count(p.rounds),
    percent(p.share),
    plain(p.mean_compression_ratio),
    bytes(p.wire_bytes),
  ]);
  const head = ["phase", "first round", "rounds", "share", "compression", "bytes"];
  host.append(el("h3", {}, "Phases"), table("What the method did when.", head, rows));
}

function drawRanks(host, inside) {
  const ranks = rowsOf(inside.ranks);
  if (!ranks.length) return;
  const parts = ["compute_s", "coding_s", "communication_s", "both_s", "waiting_s"];
  const rows = ranks.map((r) => [
    r.rank,
    r.host,
    ...parts.map((part) => seconds(r[part])),
    bytes(r.sent_bytes),
    bytes(r.received_bytes),
  ]);
  const head = ["rank", "host", "computing", "of it, coding", "communicating", "both", "waiting", "sent", "received"];
  const caption = "Seconds and bytes of each rank. Coding: encoding and decoding of messages.";
  host.append(el("h3", {}, "Ranks"), el("div", { class: "behind always" }, table(caption, head, rows)));
}

function drawInside(body, inside) {
  body.replaceChildren();
  drawNetwork(body, inside);
  drawGantt(body, inside);
  const pair = el("div", { class: "facets" });
  body.append(pair);
  drawPairs(pair, inside);
  drawClasses(pair, inside);
  drawFactors(body, inside);
  drawCollectives(body, inside);
  drawPhases(body, inside);
  drawRanks(body, inside);
}

function showInside() {
  if (!data.inside.length) return;
  section("inside", "Inside a run", "", (host) => {
    const body = el("div", { class: "inside" });
    const shown = []; // redraws of the run that is shown
    onRedraw(() => shown.forEach((draw) => draw()));
    const show = (i) => {
      const others = redraws.length;
      drawInside(body, data.inside[i]);
      shown.splice(0, shown.length, ...redraws.splice(others));
    };
    const names = data.inside.map((one) => nameOfRun(one.run));
    host.append(picker("run", names, show) || el("p", { class: "intro" }, names[0]));
    const rest = configurations.length - data.inside.length;
    const words =
      `${several(rest, "more configuration")} ${rest === 1 ? "is" : "are"} not shown from inside, ` +
      "to keep this page small; 'rehearse report RUN' shows one.";
    if (rest > 0) host.append(el("p", { class: "note" }, words));
    host.append(body);
    show(0);
  });
}

function showConsensus() {
  const some = data.runs.some((run) => (run.evaluations.consensus || []).some((v) => v > 0));
  const intro = "Consensus distance: how far the workers’ models are from their mean.";
  if (some)
    section("consensus", "How far replicas are apart", intro, (host) => drawCurves(host, ["consensus"], "consensus"));
}
