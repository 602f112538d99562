"use strict";

/* Draws iterated function systems in any view of the plane, as fractalgan/ops/{bounding_box,pieces,measure,tone}.py
   do: the attractor is divided into pieces, those beside the view are dropped, and the chaos game is played in the
   others, so that a deep zoom is as quick as none.

   A fractal is {A: [N][4], b: [N][2], probabilities: [N], values: [N][K], blend: [N], background: [K]}; a view is
   {center: [down, right], half}. */
const Fractal = (() => {
  const DIRECTIONS = 64, MAX_ROUNDS = 5000, SMALL_MOVE = 1e-5, MARGIN = 1.001, MARGIN_OF_POINTS = 1.5, FAR = 1e12;
  const SAMPLE = 4096, SAMPLE_SEED = 1, SAMPLE_OF_ALL = 65536, MIN_SAMPLE = 8, BURN_IN = 1000;
  const MAX_PIECES = 4096, MAX_LEVELS = 300, MAX_LEVELS_OF_FEW = 20000, ENOUGH = 0.3, MOST_WASTE = 0.9;
  const CONTRAST = 50, WHITE = 0.95, WHITE_OF_COLORS = 0.5, QUANTILE_SAMPLE = 200000;

  /* Mulberry32: uniform numbers in [0, 1). */
  function randomSource(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let word = Math.imul(state ^ (state >>> 15), 1 | state);
      word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
      return ((word ^ (word >>> 14)) >>> 0) / 4294967296;
    };
  }

  function prepared(fractal) {
    const number = fractal.values[0].length, order = fractal.probabilities.map((_, n) => n);
    order.sort((m, n) => fractal.probabilities[n] - fractal.probabilities[m]);
    const total = fractal.probabilities.reduce((sum, each) => sum + each, 0);
    let reached = 0;
    return {
      number,
      maps: order.map((n) => [...fractal.A[n], ...fractal.b[n]]),
      shares: order.map((n) => fractal.probabilities[n] / total),
      cumulative: order.map((n) => (reached += fractal.probabilities[n] / total)),
      values: order.map((n) => fractal.values[n]),
      blend: order.map((n) => fractal.blend[n]),
    };
  }

  /* The chaos game: each call moves the point (x, y) and its features by a random transform. */
  class Walk {
    constructor(system, random) {
      Object.assign(this, { system, random, x: 0, y: 0, features: new Float64Array(system.number).fill(0.5) });
      for (let step = 0; step < BURN_IN; step++) this.step();
    }

    step() {
      const { system, features } = this, uniform = this.random(), last = system.cumulative.length - 1;
      let n = 0;
      while (n < last && uniform >= system.cumulative[n]) n++;
      const [a, b, c, d, e, f] = system.maps[n], { x, y } = this;
      this.x = a * x + b * y + e;
      this.y = c * x + d * y + f;
      if (!(Math.abs(this.x) < FAR && Math.abs(this.y) < FAR)) this.x = this.y = 0;
      const blend = system.blend[n], values = system.values[n];
      for (let k = 0; k < features.length; k++) features[k] = (1 - blend) * values[k] + blend * features[k];
    }
  }

  function samplePoints(system, random, count) {
    const points = new Float64Array(2 * count), walk = new Walk(system, random);
    for (let i = 0; i < count; i++) {
      for (let skipped = 0; skipped < 3; skipped++) walk.step();
      points[2 * i] = walk.x;
      points[2 * i + 1] = walk.y;
    }
    return points;
  }

  function largestSingularValue([a, b, c, d]) {
    const squares = a * a + b * b + c * c + d * d, determinant = a * d - b * c;
    return Math.sqrt((squares + Math.sqrt(Math.max(0, squares * squares - 4 * determinant * determinant))) / 2);
  }

  function fixedPoint([a, b, c, d, e, f]) {
    const determinant = (1 - a) * (1 - d) - b * c;
    const point = [((1 - d) * e + b * f) / determinant, (c * e + (1 - a) * f) / determinant];
    return point.every(Number.isFinite) ? point : [0, 0];
  }

  /* A box {center, half} around the attractor. */
  function boundingBox(system, points) {
    const sigma = system.maps.map(largestSingularValue);
    if (!sigma.every((each) => each < 1)) return boxOfPoints(points);
    const { center, radius } = smallestDisk(system.maps, sigma);
    const angles = Array.from({ length: DIRECTIONS }, (_, i) => (2 * Math.PI * i) / DIRECTIONS);
    const normals = angles.map((angle) => [Math.cos(angle), Math.sin(angle)]);
    const sine = Math.sin((2 * Math.PI) / DIRECTIONS);
    let bounds = normals.map(([u, v]) => u * center[0] + v * center[1] + radius);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const moved = new Float64Array(DIRECTIONS).fill(-Infinity);
      for (let i = 0; i < DIRECTIONS; i++) {
        const j = (i + 1) % DIRECTIONS;
        const x = (bounds[i] * normals[j][1] - bounds[j] * normals[i][1]) / sine;
        const y = (bounds[j] * normals[i][0] - bounds[i] * normals[j][0]) / sine;
        for (const [a, b, c, d, e, f] of system.maps) {
          const placedX = a * x + b * y + e, placedY = c * x + d * y + f;
          for (let k = 0; k < DIRECTIONS; k++)
            moved[k] = Math.max(moved[k], normals[k][0] * placedX + normals[k][1] * placedY);
        }
      }
      const next = bounds.map((bound, k) => Math.min(bound, moved[k]));
      const move = Math.max(...bounds.map((bound, k) => bound - next[k]));
      const width = Math.max(...next.map((bound, k) => bound + next[(k + DIRECTIONS / 2) % DIRECTIONS]));
      bounds = next;
      if (move <= SMALL_MOVE * width) break;
    }
    const quarter = DIRECTIONS / 4;
    return boxOf([-bounds[2 * quarter], -bounds[3 * quarter]], [bounds[0], bounds[quarter]], MARGIN);
  }

  /* The smallest disk around a fixed point that all transforms map into itself. */
  function smallestDisk(maps, sigma) {
    let best = { radius: Infinity };
    for (const center of maps.map(fixedPoint)) {
      const radii = maps.map(([a, b, c, d, e, f], n) => {
        const x = a * center[0] + b * center[1] + e - center[0], y = c * center[0] + d * center[1] + f - center[1];
        return Math.hypot(x, y) / (1 - sigma[n]);
      });
      const radius = Math.max(...radii);
      if (radius < best.radius) best = { center, radius };
    }
    return best;
  }

  function boxOfPoints(points) {
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    points.forEach((each, i) => {
      low[i % 2] = Math.min(low[i % 2], each);
      high[i % 2] = Math.max(high[i % 2], each);
    });
    return boxOf(low, high, MARGIN_OF_POINTS);
  }

  function boxOf(low, high, margin) {
    return {
      center: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2],
      half: [((high[0] - low[0]) / 2) * margin, ((high[1] - low[1]) / 2) * margin],
    };
  }

  /* A piece is [a, b, c, d, e, f, kept, share, ...added]: see Pieces in pieces.py. */
  const KEPT = 6, SHARE = 7, ADDED = 8;

  function parts(piece, system) {
    return system.maps.map(([a, b, c, d, e, f], n) => {
      const [A, B, C, D, E, F] = piece, blend = system.blend[n], own = piece[KEPT] * (1 - blend);
      return [
        A * a + B * c, A * b + B * d, C * a + D * c, C * b + D * d, A * e + B * f + E, C * e + D * f + F,
        piece[KEPT] * blend, piece[SHARE] * system.shares[n],
        ...system.values[n].map((value, k) => piece[ADDED + k] + own * value),
      ];
    });
  }

  function meets(piece, box, view) {
    const [a, b, c, d, e, f] = piece, { center, half } = box;
    const x = Math.abs(a * center[0] + b * center[1] + e - view.center[0]);
    const y = Math.abs(c * center[0] + d * center[1] + f - view.center[1]);
    return (
      x <= Math.abs(a) * half[0] + Math.abs(b) * half[1] + view.half &&
      y <= Math.abs(c) * half[0] + Math.abs(d) * half[1] + view.half
    );
  }

  function partInView(piece, points, count, view) {
    const [a, b, c, d, e, f] = piece;
    let inside = 0;
    for (let i = 0; i < count; i++) {
      const x = points[2 * i], y = points[2 * i + 1];
      if (Math.abs(a * x + b * y + e - view.center[0]) <= view.half &&
          Math.abs(c * x + d * y + f - view.center[1]) <= view.half) inside++;
    }
    return inside / count;
  }

  function withEqualShares(pieces, number, random) {
    const total = pieces.reduce((sum, piece) => sum + piece[SHARE], 0), offset = random(), chosen = [];
    let reached = 0, place = 0;
    for (const piece of pieces) {
      reached += piece[SHARE];
      for (; place < number && (place + offset) / number * total < reached; place++) {
        const copy = piece.slice();
        copy[SHARE] = total / number;
        chosen.push(copy);
      }
    }
    return chosen;
  }

  function piecesInView(system, box, points, view, random) {
    const whole = [1, 0, 0, 1, 0, 0, 1, 1, ...new Array(system.number).fill(0)];
    const contracts = system.maps.every((map) => largestSingularValue(map) < 1);
    let pieces = [whole], placed = 0;
    for (let level = 0; level < (contracts ? MAX_LEVELS_OF_FEW : MAX_LEVELS); level++) {
      pieces = pieces.filter((piece) => meets(piece, box, view));
      if (!pieces.length) return pieces;
      if (pieces.length > MAX_PIECES) pieces = withEqualShares(pieces, MAX_PIECES, random);
      const few = Math.min(SAMPLE, Math.max(MIN_SAMPLE, Math.floor(SAMPLE_OF_ALL / pieces.length)));
      const wasted = pieces.map((piece) => piece[SHARE] * (1 - partInView(piece, points, few, view)));
      const total = pieces.reduce((sum, piece) => sum + piece[SHARE], 0);
      const waste = wasted.reduce((sum, each) => sum + each, 0);
      placed += pieces.length;
      if (waste <= (1 - ENOUGH) * total || placed >= MAX_LEVELS * MAX_PIECES) break;
      const order = pieces.map((_, m) => m).sort((m, n) => wasted[n] - wasted[m]), next = [];
      let before = 0;
      for (const m of order) {
        if (before < MOST_WASTE * waste) next.push(...parts(pieces[m], system));
        else next.push(pieces[m]);
        before += wasted[m];
      }
      pieces = next;
    }
    return pieces.length > 1 ? withEqualShares(pieces, MAX_PIECES, random) : pieces;
  }

  /* What all views of a fractal share: its transforms, points of it, and the box around it; found once. */
  const attractors = new WeakMap();
  function attractorOf(fractal) {
    if (!attractors.has(fractal)) {
      const system = prepared(fractal), points = samplePoints(system, randomSource(SAMPLE_SEED), SAMPLE);
      attractors.set(fractal, { system, points, box: boundingBox(system, points) });
    }
    return attractors.get(fractal);
  }

  /* Counts points at the pixels of a view, more with every call of add(). */
  class Measure {
    constructor(fractal, view, size, seed = 0) {
      const { system, points, box } = attractorOf(fractal);
      this.system = system;
      this.size = size;
      this.points = 0;
      this.random = randomSource(seed);
      this.pieces = piecesInView(system, box, points, view, this.random);
      this.scale = (size - 1) / (2 * view.half);
      this.corner = [view.center[0] - view.half, view.center[1] - view.half];
      this.sums = Array.from({ length: 1 + this.system.number }, () => new Float32Array(size * size));
      this.walk = new Walk(this.system, this.random);
    }

    add(points) {
      const { pieces, size, scale, corner, sums, walk, random } = this, number = this.system.number;
      const features = walk.features;
      if (!pieces.length) return;
      this.points += points;
      for (let point = 0; point < points; point++) {
        walk.step();
        const piece = pieces.length > 1 ? pieces[Math.floor(random() * pieces.length)] : pieces[0];
        const x = piece[0] * walk.x + piece[1] * walk.y + piece[4];
        const y = piece[2] * walk.x + piece[3] * walk.y + piece[5];
        const row = (x - corner[0]) * scale, column = (y - corner[1]) * scale;
        if (!(row > -1 && row < size && column > -1 && column < size)) continue;
        const top = Math.floor(row), left = Math.floor(column), down = row - top, right = column - left;
        for (let i = 0; i < 2; i++)
          for (let j = 0; j < 2; j++) {
            const h = top + i, w = left + j;
            if (h < 0 || h >= size || w < 0 || w >= size) continue;
            const share = (i ? down : 1 - down) * (j ? right : 1 - right), pixel = h * size + w;
            sums[0][pixel] += share;
            for (let k = 0; k < number; k++)
              sums[1 + k][pixel] += share * (piece[ADDED + k] + piece[KEPT] * features[k]);
          }
      }
    }

    /* The picture as RGBA of half the size; "colors" has 256 colors [r, g, b] for fractals without any. */
    paint(background, colors) {
      const { size, sums } = this, number = this.system.number, side = size / 2;
      const alpha = toned(sums[0], number ? WHITE_OF_COLORS : WHITE), pixels = new Uint8ClampedArray(4 * side * side);
      const mean = new Float64Array(number);
      for (let h = 0; h < side; h++)
        for (let w = 0; w < side; w++) {
          let opacity = 0;
          mean.fill(0);
          for (const pixel of [2 * h * size + 2 * w, 2 * h * size + 2 * w + 1,
                               (2 * h + 1) * size + 2 * w, (2 * h + 1) * size + 2 * w + 1]) {
            opacity += alpha[pixel] / 4;
            for (let k = 0; k < number && alpha[pixel]; k++)
              mean[k] += (sums[1 + k][pixel] / sums[0][pixel]) * alpha[pixel] / 4;
          }
          const at = 4 * (h * side + w);
          if (number) {
            for (let k = 0; k < 3; k++) {
              const own = number === 1 ? 0 : k;
              pixels[at + k] = 255 * (mean[own] + (1 - opacity) * background[own]);
            }
          } else {
            const color = colors[Math.min(255, Math.floor(256 * opacity))];
            for (let k = 0; k < 3; k++) pixels[at + k] = color[k];
          }
          pixels[at + 3] = 255;
        }
      return pixels;
    }
  }

  /* Brightness by the logarithm of density, relative to a quantile of all pixels that have points. */
  function toned(counts, white) {
    const step = Math.max(1, Math.floor(counts.length / QUANTILE_SAMPLE)), visible = [];
    for (let i = 0; i < counts.length; i += step) if (counts[i] > 0) visible.push(counts[i]);
    const alpha = new Float32Array(counts.length);
    if (!visible.length) return alpha;
    const sorted = Float32Array.from(visible).sort();
    const reference = sorted[Math.floor(white * (sorted.length - 1))], scale = 1 / Math.log1p(CONTRAST);
    for (let i = 0; i < counts.length; i++)
      if (counts[i] > 0) alpha[i] = Math.min(1, Math.log1p((CONTRAST * counts[i]) / reference) * scale);
    return alpha;
  }

  /* The view for pixels of half the width, whose outermost have the same outer borders: see picture_layer. */
  function fineView(view, size) {
    return { center: view.center, half: view.half * (size / (size - 1)) * ((2 * size - 1) / (2 * size)) };
  }

  /* A complete picture as RGBA. */
  function picture(fractal, view, size, colors, pointsPerPixel = 30) {
    const measure = new Measure(fractal, fineView(view, size), 2 * size);
    measure.add(pointsPerPixel * size * size);
    return measure.paint(fractal.background, colors);
  }

  return { Measure, fineView, picture };
})();
