// The network as numbers: its nodes, the lines between them, and the load of each link in every bin of time.

const LOAD_STEPS = 42; // a byte holds a load as 10^((byte - 255) / 42); 0 is none

function byteOfLoad(load) {
  return load > 0 ? Math.max(1, Math.min(255, Math.round(255 + LOAD_STEPS * Math.log10(load)))) : 0;
}

const loadOfByte = Float32Array.from({ length: 256 }, (_, byte) => (byte ? 10 ** ((byte - 255) / LOAD_STEPS) : 0));

/** Each link's load as bytes, [bins + 1][links]: first over the whole run, then in every bin. */
function loadsOf(links) {
  const bins = links.map((link) => (link.bin_loads ? atob(link.bin_loads) : ""));
  const count = Math.max(0, ...bins.map((text) => text.length));
  const loads = new Uint8Array((count + 1) * links.length);
  links.forEach((link, i) => {
    loads[i] = byteOfLoad(link.load);
    for (let k = 0; k < bins[i].length; k++) loads[(k + 1) * links.length + i] = bins[i].charCodeAt(k);
  });
  return { bins: count, loads };
}

/** Of each line, whether another joins the same two nodes: they are then drawn side by side. */
function besideOf(rows) {
  const key = (row) => `${Math.min(row.from_node, row.to_node)} ${Math.max(row.from_node, row.to_node)}`;
  const uses = new Map();
  for (const row of rows) uses.set(key(row), (uses.get(key(row)) || 0) + 1);
  return Uint8Array.from(rows, (row) => (uses.get(key(row)) > 1 ? 1 : 0));
}

function networkOf(inside) {
  const links = rowsOf(inside.links),
    placeOf = new Map(links.map((link, i) => [link.link, i]));
  const rows = rowsOf(inside.lines).filter((row) => placeOf.has(row.link));
  const most = (name) => links.reduce((top, link) => Math.max(top, link[name] || 0), 0);
  return {
    nodes: rowsOf(inside.nodes),
    links,
    ...loadsOf(links),
    peak: most("peak_load"),
    mean: most("load"),
    lines: {
      count: rows.length,
      from: Int32Array.from(rows, (row) => row.from_node),
      to: Int32Array.from(rows, (row) => row.to_node),
      link: Int32Array.from(rows, (row) => placeOf.get(row.link)),
      beside: besideOf(rows),
    },
    layout: inside.about.layout,
    bin_s: inside.about.bin_s,
  };
}

/** A link's load in a bin; in bin -1 over the whole run. */
function loadAt(network, link, bin) {
  if (bin < 0) return network.links[link].load || 0;
  return loadOfByte[network.loads[(bin + 1) * network.links.length + link]];
}

/** A round number at or above a load: where the colours end. */
function topOf(load) {
  if (load >= 0.5) return 1;
  const power = 10 ** Math.floor(Math.log10(load || 1e-6));
  return [1, 2, 5, 10].map((k) => k * power).find((v) => v >= load * 0.999);
}
