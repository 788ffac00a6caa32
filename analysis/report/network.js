// The network's section: the picture, the slider that chooses the moment, the table of its links.

const PLAY_MS = 12000; // a run is played in so long
const layoutWords = {
  star: "hosts around their switch",
  "fat-tree": "hosts below, switches above in their layers",
  torus: "the grid of its cables, or their ring",
  dragonfly: "groups on a circle, their switches inside",
  force: "laid out by forces: what is joined is near",
};

/** Plays bins one after the other as time goes by, from `first` on and around; `show` is called with each. */
class Player {
  constructor(bins, show, changed) {
    Object.assign(this, { bins, show, changed, request: 0 });
  }

  start(first) {
    const per = PLAY_MS / this.bins;
    let began = null;
    const step = (now) => {
      began ??= now - Math.max(0, first) * per;
      this.show(Math.floor((now - began) / per) % this.bins);
      this.request = requestAnimationFrame(step);
    };
    this.request = requestAnimationFrame(step);
    this.changed(true);
  }

  stop() {
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.changed(false);
  }
}

/** Play button and slider, and what they say; nothing but the words where there is no time to choose from. */
function timeControls(view, network, shown) {
  const say = el("output", { class: "when" });
  const slider = el("input", {
    type: "range",
    min: "-1",
    max: String(network.bins - 1),
    value: "-1",
    "aria-label": "moment of the run",
  });
  const show = (bin) => {
    slider.value = String(bin);
    view.setBin(bin);
    say.textContent =
      bin < 0 ? "whole run, mean" : `at ${seconds(bin * network.bin_s)} to ${seconds((bin + 1) * network.bin_s)}`;
    slider.setAttribute("aria-valuetext", say.textContent);
    shown();
  };
  show(-1);
  if (network.bins < 2) return [say];
  const play = button("Play", null, () => (player.request ? player.stop() : player.start(view.bin)));
  const player = new Player(network.bins, show, (on) => {
    play.textContent = on ? "Pause" : "Play";
  });
  const whole = button("Whole run", null, () => {
    player.stop();
    show(-1);
  });
  slider.addEventListener("input", () => {
    player.stop();
    show(Number(slider.value));
  });
  view.player = player;
  return [play, whole, slider, say];
}

function zoomControls(view) {
  return el(
    "span",
    { class: "zoom" },
    button("−", "zoom out", () => view.setZoom(view.zoom / 1.5)),
    button("+", "zoom in", () => view.setZoom(view.zoom * 1.5)),
    button("fit", "show all", () => view.setZoom(1)),
  );
}

/** The table of links; how long they were down, and waited for, only where one was. */
function linkTable(links) {
  const columns = [
    ["link", (link) => link.link],
    ["bandwidth", (link) => bandwidth(link.bandwidth_Bps)],
    ["latency", (link) => seconds(link.latency_s)],
    ["bytes", (link) => bytes(link.bytes)],
    ["load", (link) => percent(link.load)],
    ["at its peak", (link) => percent(link.peak_load)],
    ["busy", (link) => seconds(link.busy_s)],
  ];
  if (links.some((link) => link.down_s > 0))
    columns.push(["down", (link) => seconds(link.down_s)], ["waited for", (link) => seconds(link.stalled_s)]);
  const rows = links.slice(0, TABLE_ROWS).map((link) => columns.map(([, text]) => text(link)));
  return [columns.map(([name]) => name), rows];
}

function drawNetwork(host, inside) {
  host.networkView?.player?.stop(); // of the run that was shown before
  const network = networkOf(inside);
  if (!network.lines.count) return;
  const hosts = network.nodes.filter((node) => node.kind === "host").length;
  const many = `${several(hosts, "host")}, ${several(network.links.length, "link")}`;
  const fig = figure("The network, as far as it was used", `${many}: ${layoutWords[network.layout]}.`);
  host.append(fig.whole);
  const view = new NetworkView(fig.plot, network);
  const end = el("span", {});
  const controls = timeControls(view, network, () => {
    end.textContent = percent(view.top());
  });
  fig.plot.after(
    el("div", { class: "player" }, ...controls, zoomControls(view)),
    el("p", { class: "scale" }, "load ", el("span", {}, "0 %"), el("span", { class: "ramp" }), end),
  );
  const left = inside.about.lines_left_out;
  const words = `${several(left, "line")} of the links with the fewest bytes are left out.`;
  if (left) fig.whole.append(el("p", { class: "note" }, words));
  const [first] = network.links;
  const [head, rows] = linkTable(network.links);
  fig.fill(
    head,
    rows,
    `Network of ${several(hosts, "host")}; the most loaded link is ${first.link} with ${percent(first.load)}`,
  );
  host.networkView = view;
}
