/* What the figures share: elements, sliders, plots, and a question before the answer. */

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "title"]);

/** An HTML or SVG element with attributes and children; functions become event listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The numbers of a packed state, as sdlib.lab.live.packed writes them. */
export function floats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
}

function change(model, key, value) {
  model.set(key, value);
  model.save_changes();
}

/** A slider for one number of the model; `format` says the number in words. */
export function slider(model, key, label, [min, max, step], format = String) {
  const moved = () => change(model, key, Number(input.value));
  const input = element("input", { type: "range", min, max, step, name: key, input: moved });
  const output = element("output");
  const show = () => {
    input.value = model.get(key);
    // A link may ask for a number beyond the ends: the slider knows them.
    if (Number(input.value) !== model.get(key)) model.set(key, Number(input.value));
    output.textContent = format(model.get(key));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  model.on(`change:${key}`, show);
  show();
  return element("label", { class: "live-slider" }, element("span", {}, label), input, output);
}

/** A choice of one of several names. */
export function choice(model, key, label, names) {
  const options = Object.entries(names).map(([value, text]) => element("option", { value }, text));
  const picked = () => change(model, key, select.value);
  const select = element("select", { name: key, change: picked }, ...options);
  const show = () => {
    if (!(model.get(key) in names)) model.set(key, Object.keys(names)[0]);
    select.value = model.get(key);
  };
  model.on(`change:${key}`, show);
  show();
  return element("label", { class: "live-choice" }, element("span", {}, label), select);
}

/** Buttons that put numbers into the model: its `presets`, by label. */
export function presets(model) {
  const buttons = Object.entries(model.get("presets")).map(([label, values]) => {
    const set = () => Object.entries(values).forEach(([key, value]) => change(model, key, value));
    return element("button", { type: "button", click: set }, label);
  });
  return element("div", { class: "live-presets" }, ...buttons);
}

/** Axes with ticks; `path`, `dot` and `upright` draw on them, `clear` takes the drawing away. */
export function plot({ title, x, y, xLabel, yLabel, width = 330, height = 230 }) {
  const [left, right, top, bottom] = [44, 10, 26, 42];
  const X = (v) => left + ((width - left - right) * (v - x[0])) / (x[1] - x[0]);
  const Y = (v) => height - bottom - ((height - top - bottom) * (v - y[0])) / (y[1] - y[0]);
  const middle = (left + width - right) / 2;
  const drawn = element("g");
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": title,
  });
  const write = (at, text, more) => svg.append(element("text", { ...at, ...more }, text));
  for (const tick of ticks(x)) {
    const [at, end] = [X(tick), height - bottom];
    svg.append(element("line", { class: "tick", x1: at, x2: at, y1: end, y2: end + 4 }));
    write({ x: at, y: end + 17 }, tick, { "text-anchor": "middle" });
  }
  for (const tick of ticks(y)) {
    svg.append(
      element("line", { class: "grid", x1: left, x2: width - right, y1: Y(tick), y2: Y(tick) }),
    );
    write({ x: left - 6, y: Y(tick) + 4 }, tick, { "text-anchor": "end" });
  }
  write({ x: left, y: 15 }, title, { class: "title" });
  write({ x: middle, y: height - 6 }, xLabel, { "text-anchor": "middle" });
  const upwards = `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`;
  write({ transform: upwards }, yLabel, { "text-anchor": "middle" });
  svg.append(drawn);
  const add = (tag, attributes) => drawn.append(element(tag, attributes));
  const inked = (look) => ({ class: "arm", style: `--arm: ${look.colour}`, ...look.more });
  return {
    svg,
    clear: () => drawn.replaceChildren(),
    path(points, look) {
      const d = points.map(([a, b], k) => `${k ? "L" : "M"}${X(a).toFixed(2)} ${Y(b).toFixed(2)}`);
      add("path", {
        d: d.join(" "),
        fill: "none",
        "stroke-dasharray": look.dash ?? "",
        ...inked(look),
      });
    },
    dot: (a, b, look) => add("circle", { cx: X(a), cy: Y(b), r: 4.5, ...inked(look) }),
    bar(a, b, [low, high], look) {
      const [from, to] = [Math.min(Y(low), Y(high)), Math.max(Y(low), Y(high))];
      add("rect", { x: X(a), width: X(b) - X(a), y: from, height: to - from, ...inked(look) });
    },
    upright: (v) =>
      add("line", { class: "here", x1: X(v), x2: X(v), y1: top, y2: height - bottom }),
  };
}

/** About five round numbers within a range. */
function ticks([low, high]) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((k) => k * power >= rough) ?? 10);
  const count = Math.floor((high + 1e-9 - Math.ceil(low / step) * step) / step) + 1;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toFixed(6)));
}

/** A figure of controls and content, behind the model's question where it has one.

    `draw` is called at first sight and after every change. */
export function compose(model, el, controls, content, draw) {
  const grid = element("div", { class: "live-controls" }, ...controls);
  const figure = element("div", {}, grid, ...content);
  const start = () => {
    el.append(figure);
    draw();
    model.on("change", draw);
  };
  if (model.get("ask")) predict(model, el, model.get("ask"), start);
  else start();
}

function predict(model, el, { question, choices, answer }, start) {
  const show = () => {
    const said = choices[model.get("predicted")];
    const reply = said ? `You said: ${said}. ${answer}` : answer;
    box.replaceChildren(element("p", { role: "status" }, reply));
    start();
  };
  const pick = (key) => () => {
    change(model, "predicted", key);
    show();
  };
  const buttons = Object.entries({ ...choices, shown: "Just show me" }).map(([key, text]) =>
    element("button", { type: "button", click: pick(key) }, text),
  );
  const head = element("p", {}, element("strong", {}, "Predict first. "), question);
  const box = element("div", { class: "live-question" }, head, ...buttons);
  el.append(box);
  if (model.get("predicted")) show();
}
