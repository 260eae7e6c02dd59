/* What the figures share: elements, sliders, and a question before the answer. */

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
