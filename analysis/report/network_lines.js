// Where the network's lines are on the canvas: their ends, what of them is in view, which one is near the pointer.

const FAR_ON_TORUS = 1.6; // neighbours on the grid are 1 apart; what is farther goes around, and is bent
const BESIDE = 1.6; // pixels off the middle, of two lines between the same nodes

class LineShapes {
  /** at: [x, y, x, y, ...] of the nodes on a canvas of width x height. */
  constructor(network, at, { zoom, width, height }) {
    const { lines, nodes, layout } = network;
    Object.assign(this, {
      width,
      height,
      count: lines.count,
      ends: new Float32Array(4 * lines.count),
      bends: new Map(),
      cells: null,
    });
    for (let i = 0; i < lines.count; i++) {
      const from = lines.from[i],
        to = lines.to[i];
      const ax = at[2 * from],
        ay = at[2 * from + 1],
        bx = at[2 * to],
        by = at[2 * to + 1];
      const length = Math.hypot(bx - ax, by - ay) || 1,
        nx = -(by - ay) / length,
        ny = (bx - ax) / length;
      const aside = lines.beside[i] ? BESIDE * Math.min(zoom, 2) : 0;
      this.ends.set([ax + nx * aside, ay + ny * aside, bx + nx * aside, by + ny * aside], 4 * i);
      const steps = Math.hypot(nodes[to].x - nodes[from].x, nodes[to].y - nodes[from].y);
      if (layout === "torus" && steps > FAR_ON_TORUS)
        this.bends.set(i, [(ax + bx) / 2 + nx * (0.1 * length + 4), (ay + by) / 2 + ny * (0.1 * length + 4)]);
    }
  }

  inView(i) {
    const e = this.ends,
      k = 4 * i,
      edge = this.bends.has(i) ? this.width : 0; // how far a bend may stick out
    return (
      Math.max(e[k], e[k + 2]) >= -edge &&
      Math.min(e[k], e[k + 2]) <= this.width + edge &&
      Math.max(e[k + 1], e[k + 3]) >= -edge &&
      Math.min(e[k + 1], e[k + 3]) <= this.height + edge
    );
  }

  /** Appends a line to the context's path. */
  trace(context, i) {
    const e = this.ends,
      k = 4 * i,
      bend = this.bends.get(i);
    context.moveTo(e[k], e[k + 1]);
    if (bend) context.quadraticCurveTo(bend[0], bend[1], e[k + 2], e[k + 3]);
    else context.lineTo(e[k + 2], e[k + 3]);
  }

  /** The point half way along a line. */
  middle(i) {
    const e = this.ends,
      k = 4 * i,
      x = (e[k] + e[k + 2]) / 2,
      y = (e[k + 1] + e[k + 3]) / 2,
      bend = this.bends.get(i);
    return bend ? [(x + bend[0]) / 2, (y + bend[1]) / 2] : [x, y];
  }

  /** Pixels between a point and a line; a bent one is taken as its two chords. */
  distance(i, x, y) {
    const e = this.ends,
      k = 4 * i;
    if (!this.bends.has(i)) return toSegment(x, y, e[k], e[k + 1], e[k + 2], e[k + 3]);
    const [mx, my] = this.middle(i);
    return Math.min(toSegment(x, y, e[k], e[k + 1], mx, my), toSegment(x, y, mx, my, e[k + 2], e[k + 3]));
  }

  /** The line nearest to a point, at most `within` (up to CELL) pixels away; -1: none. */
  nearest(x, y, within) {
    this.cells ||= new LineCells(this);
    let best = -1,
      near = within;
    for (const i of this.cells.around(x, y)) {
      const distance = this.distance(i, x, y);
      if (distance < near) [near, best] = [distance, i];
    }
    return best;
  }
}

const CELL = 16; // pixels

/** Which lines pass a square of the canvas: each is entered wherever a point of it falls, at every half square. */
class LineCells {
  constructor(shapes) {
    this.cells = new Map();
    for (let i = 0; i < shapes.count; i++) {
      if (!shapes.inView(i)) continue;
      const [ax, ay, bx, by] = shapes.ends.subarray(4 * i, 4 * i + 4),
        [mx, my] = shapes.middle(i);
      this.enter(i, ax, ay, mx, my);
      this.enter(i, mx, my, bx, by);
    }
  }

  enter(i, ax, ay, bx, by) {
    const steps = Math.max(1, Math.ceil(Math.hypot(bx - ax, by - ay) / (CELL / 2)));
    for (let k = 0; k <= steps; k++) {
      const cell = this.key(
        Math.floor((ax + ((bx - ax) * k) / steps) / CELL),
        Math.floor((ay + ((by - ay) * k) / steps) / CELL),
      );
      const list = this.cells.get(cell);
      if (!list) this.cells.set(cell, [i]);
      else if (list[list.length - 1] !== i) list.push(i);
    }
  }

  key(column, row) {
    return column * 65536 + row;
  }

  /** The lines in a point's square and in the eight around it. */
  *around(x, y) {
    const column = Math.floor(x / CELL),
      row = Math.floor(y / CELL);
    for (let i = column - 1; i <= column + 1; i++)
      for (let k = row - 1; k <= row + 1; k++) yield* this.cells.get(this.key(i, k)) || [];
  }
}

function toSegment(x, y, ax, ay, bx, by) {
  const dx = bx - ax,
    dy = by - ay,
    length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
