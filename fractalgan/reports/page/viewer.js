"use strict";

/* The page: sliders through the grids, and the viewer, in which a fractal is dragged and zoomed. */
(() => {
  const POINTS_PER_PIXEL = 30, SLICE_MS = 14, FIRST_POINTS = 0.3; // points per pixel of the first picture
  const MIN_ZOOM = 0.05, MAX_ZOOM = 1e9, ZOOM_STEP = 1.5, PAN_STEP = 0.15, SETTLE_MS = 80, BLOCKS = 16;
  const data = JSON.parse(document.getElementById("fractals").textContent);

  for (const slider of document.querySelectorAll("input[data-frames]")) {
    const figure = slider.closest("figure"), images = [...figure.querySelectorAll(".frames img")];
    slider.parentElement.hidden = false;
    slider.addEventListener("input", () => {
      images.forEach((image, i) => (image.hidden = i !== Number(slider.value)));
      figure.querySelector("output").textContent = images[slider.value].dataset.step;
    });
  }

  const dialog = document.getElementById("viewer"), canvas = dialog.querySelector("canvas");
  const context = canvas.getContext("2d"), overlay = dialog.querySelector("svg");
  const find = (name) => dialog.querySelector(`[data-part="${name}"]`);
  const screen = document.createElement("canvas"); // the last finished picture, to be moved while a new one is drawn
  let shown = null, view = null, drawnView = null, measure = null, timer = 0, frame = 0, anchor = null, address = "";

  /* -- drawing ----------------------------------------------------------------------------------------- */

  function restart() {
    cancelAnimationFrame(frame);
    preview();
    describe();
    clearTimeout(timer);
    timer = setTimeout(begin, SETTLE_MS);
    canvas.dataset.state = "drawing";
  }

  function begin() {
    const { fractal } = shown, size = canvas.width;
    measure = new Fractal.Measure(fractal, Fractal.fineView(view, size), 2 * size);
    const total = POINTS_PER_PIXEL * size * size;
    let next = FIRST_POINTS * size * size;
    const work = () => {
      const until = performance.now() + SLICE_MS;
      while (measure.pieces.length && measure.points < total && performance.now() < until) measure.add(20000);
      const finished = !measure.pieces.length || measure.points >= total;
      if (finished || measure.points >= next) {
        next = 2 * measure.points;
        show();
      }
      if (finished) {
        setAddress(address);
        canvas.dataset.state = "done";
      } else frame = requestAnimationFrame(work);
    };
    frame = requestAnimationFrame(work);
  }

  function show() {
    const pixels = measure.paint(shown.fractal.background, data.colors);
    context.putImageData(new ImageData(pixels, canvas.width), 0, 0);
    screen.width = screen.height = canvas.width;
    screen.getContext("2d").drawImage(canvas, 0, 0);
    drawnView = view;
    anchor = densePoint() || anchor;
  }

  /* A place in the plane that is worth zooming into: the brightest pixel of the square of the picture that is filled
     best, those near the middle being preferred; null for an empty picture. */
  function densePoint() {
    const { sums, size } = measure, step = size / BLOCKS, filled = new Float64Array(BLOCKS * BLOCKS);
    const brightest = new Int32Array(BLOCKS * BLOCKS).fill(-1), counts = sums[0];
    for (let pixel = 0; pixel < counts.length; pixel++) {
      if (!counts[pixel]) continue;
      const block = Math.floor(Math.floor(pixel / size) / step) * BLOCKS + Math.floor((pixel % size) / step);
      filled[block]++;
      if (brightest[block] < 0 || counts[pixel] > counts[brightest[block]]) brightest[block] = pixel;
    }
    const middle = (BLOCKS - 1) / 2, most = Math.max(...filled);
    const score = (block) => filled[block] / most -
      Math.hypot(Math.floor(block / BLOCKS) - middle, (block % BLOCKS) - middle) / BLOCKS;
    let best = -1;
    filled.forEach((count, block) => { if (count && (best < 0 || score(block) > score(best))) best = block; });
    if (best < 0) return null;
    const place = [Math.floor(brightest[best] / size), brightest[best] % size];
    return view.center.map((each, axis) => each + ((2 * place[axis]) / (size - 1) - 1) * view.half);
  }

  /* The last picture at its new place, until there is a new one. */
  function preview() {
    if (!drawnView) return;
    const size = canvas.width, ratio = drawnView.half / view.half;
    const shift = [0, 1].map((axis) => {
      const corner = drawnView.center[axis] - drawnView.half - (view.center[axis] - view.half);
      return (corner / (2 * view.half)) * size;
    });
    const background = shown.fractal.background;
    const color = background.length
      ? background.map((each) => 255 * each)
      : data.colors[0];
    context.fillStyle = `rgb(${[color[0], color[1 % color.length], color[2 % color.length]].join(" ")})`;
    context.fillRect(0, 0, size, size);
    context.drawImage(screen, shift[1], shift[0], size * ratio, size * ratio);
  }

  /* -- what is shown beside it ------------------------------------------------------------------------- */

  function describe() {
    const zoom = shown.run.window / view.half, [down, right] = view.center.map((each) => each.toFixed(16));
    find("zoom").textContent = `${Number(zoom.toPrecision(4)).toLocaleString("en")}x`;
    find("command").textContent =
      `python -m fractalgan draw ${shown.run.source} --fractals ${shown.fractal.index}` +
      ` --zoom ${Number(zoom.toPrecision(6))} --center ${shorter(down)} ${shorter(right)}`;
    address = `#${shown.place.join("/")}/${shorter(down)}/${shorter(right)}/${zoom.toPrecision(9)}`;
    drawMaps();
  }

  const shorter = (fixed) => fixed.replace(/\.?0+$/, "") || "0";

  /* The address of the view, for a link; browsers limit how often it may change, and some do not allow it. */
  function setAddress(text) {
    try {
      history.replaceState(null, "", text);
    } catch {
      /* the page works without it */
    }
  }

  /* The window as each transform maps it, as parallelograms. */
  function drawMaps() {
    overlay.replaceChildren();
    overlay.toggleAttribute("hidden", !find("maps").checked);
    if (!find("maps").checked) return;
    const window_ = shown.run.window, { A, b } = shown.fractal;
    const place = ([x, y]) => [y - view.center[1], x - view.center[0]].map((each) => (each / view.half) * 50 + 50);
    A.forEach(([a, c, d, e], n) => {
      const corners = [[-1, -1], [-1, 1], [1, 1], [1, -1]].map(([u, v]) => {
        const x = u * window_, y = v * window_;
        return place([a * x + c * y + b[n][0], d * x + e * y + b[n][1]]);
      });
      const polygon = document.createElementNS(overlay.namespaceURI, "polygon");
      polygon.setAttribute("points", corners.map((corner) => corner.map((each) => each.toFixed(3)).join()).join(" "));
      polygon.setAttribute("stroke", `hsl(${(n * 360) / A.length} 90% 60%)`);
      overlay.append(polygon);
    });
  }

  function numbers() {
    const { A, b, values, blend, background, probabilities } = shown.fractal;
    const colored = background.length ? { features: values, blend, background } : {};
    return JSON.stringify({ A: A.map(([p, q, r, s]) => [[p, q], [r, s]]), b, ...colored, probabilities });
  }

  async function copy(text, button) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = "not allowed: select it below";
    }
    setTimeout(() => (button.textContent = label), 1500);
  }

  /* -- opening and moving ------------------------------------------------------------------------------ */

  function open(run, index, asked) {
    shown = { run: data.runs[run], fractal: data.runs[run].fractals[index], place: [run, index] };
    drawnView = anchor = null;
    view = asked || { center: [0, 0], half: shown.run.window };
    find("title").textContent = `${shown.run.name}, fractal ${shown.fractal.index}`;
    find("numbers").textContent = numbers();
    if (!dialog.open) dialog.showModal();
    fit();
    restart();
  }

  function fit() {
    const side = canvas.clientWidth, ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = canvas.height = Math.max(64, Math.min(1024, Math.round(side * ratio)));
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  /* Zoom by a factor, so that the point at (x, y) of the canvas, in [0, 1], stays in its place. */
  function zoomAt(factor, x = 0.5, y = 0.5) {
    const half = Math.min(shown.run.window / MIN_ZOOM, Math.max(shown.run.window / MAX_ZOOM, view.half / factor));
    const fixed = [view.center[0] + (2 * y - 1) * view.half, view.center[1] + (2 * x - 1) * view.half];
    view = { center: [fixed[0] - (2 * y - 1) * half, fixed[1] - (2 * x - 1) * half], half };
    restart();
  }

  /* Zoom into a part that has something to be seen. */
  function zoomIn(factor) {
    const [y, x] = (anchor || view.center).map((each, axis) => (each - view.center[axis]) / (2 * view.half) + 0.5);
    const visible = x >= 0 && x <= 1 && y >= 0 && y <= 1;
    zoomAt(factor, visible ? x : 0.5, visible ? y : 0.5);
  }

  function pan(down, right) {
    view = { center: [view.center[0] + down * view.half, view.center[1] + right * view.half], half: view.half };
    restart();
  }

  function neighbor(step) {
    const [run, index] = shown.place, count = data.runs[run].fractals.length;
    open(run, (index + step + count) % count);
  }

  function reset() {
    view = { center: [0, 0], half: shown.run.window };
    restart();
  }

  const pointers = new Map();
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = [...pointers.values()];
    const [x, y] = placeOf(event), [oldX, oldY] = pointers.get(event.pointerId);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 1) pan(-2 * (y - oldY), -2 * (x - oldX));
    if (pointers.size === 2) {
      const apart = ([one, other]) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      const [one, other] = [...pointers.values()];
      zoomAt(apart([one, other]) / Math.max(1e-3, apart(before)), (one[0] + other[0]) / 2, (one[1] + other[1]) / 2);
    }
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.002), ...placeOf(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoomAt(4, ...placeOf(event)));

  const keys = {
    "+": () => zoomIn(ZOOM_STEP), "=": () => zoomIn(ZOOM_STEP), "-": () => zoomAt(1 / ZOOM_STEP), "0": reset,
    ArrowUp: () => pan(-PAN_STEP, 0), ArrowDown: () => pan(PAN_STEP, 0),
    ArrowLeft: () => pan(0, -PAN_STEP), ArrowRight: () => pan(0, PAN_STEP),
    PageUp: () => neighbor(-1), PageDown: () => neighbor(1),
    m: () => find("maps").click(),
  };
  dialog.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  const buttons = {
    closer: () => zoomIn(ZOOM_STEP), farther: () => zoomAt(1 / ZOOM_STEP), whole: reset,
    previous: () => neighbor(-1), next: () => neighbor(1), close: () => dialog.close(),
    "copy-numbers": (button) => copy(find("numbers").textContent, button),
    "copy-command": (button) => copy(find("command").textContent, button),
  };
  for (const [name, action] of Object.entries(buttons)) find(name).addEventListener("click", () => action(find(name)));
  find("maps").addEventListener("change", drawMaps);
  dialog.addEventListener("close", () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    setAddress(location.pathname + location.search);
  });
  addEventListener("resize", () => {
    if (!dialog.open) return;
    drawnView = null;
    fit();
    restart();
  });

  for (const button of document.querySelectorAll("button[data-fractal]")) {
    button.disabled = false;
    button.addEventListener("click", () => open(Number(button.dataset.run), Number(button.dataset.fractal)));
  }
  const asked = location.hash.slice(1).split("/").map(Number);
  if (asked.length === 5 && asked.every(Number.isFinite) && data.runs[asked[0]]?.fractals[asked[1]] && asked[4] > 0)
    open(asked[0], asked[1], { center: [asked[2], asked[3]], half: data.runs[asked[0]].window / asked[4] });
})();
