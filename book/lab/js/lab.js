/* The shift lab: disturb a tile whose truth is known, and see what networks predict. */

import { choice, compose, element, presets, slider } from "./parts.js";
import { blur, layOn, sharpen } from "./pixels.js";
import { plot } from "./plot.js";
import { fade } from "./stain.js";

const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SLIDERS = {
  haematoxylin: ["haematoxylin", [0, 1, 0.1], (v) => `× ${v.toFixed(1)}`],
  eosin: ["eosin", [0, 1, 0.1], (v) => `× ${v.toFixed(1)}`],
  blur: ["blur", [1, 20, 1], (v) => `n = ${v}`],
  sharpen: ["sharpening", [0, 1, 0.1], (v) => `α = ${v.toFixed(1)}`],
};
const HINT = "Press the tile to lay a black square on it; or Tab to it, arrow keys, Enter.";
const ASPECT = "The tile. Arrow keys move the cursor, with Shift by 8 pixels; Enter lays a square.";
const sigmoid = (v) => 1 / (1 + Math.exp(-v));
let worker;

/** Logits of a file's networks for a tile of size x size px. */
export function predict(file, image, size) {
  worker ??= new Worker(new URL("./lab_worker.js", import.meta.url), { type: "module" });
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    port1.onmessage = ({ data: { logits, error } }) =>
      logits ? resolve(logits) : reject(Error(error));
    worker.postMessage({ file, image, size }, [port2]);
  });
}

/** R, G, B of a tile, disturbed as sdlib.lab.disturb does: stains, blur, sharpening, squares. */
export function disturb(tile, settings) {
  const { size, side, pixels, mix } = tile;
  const { haematoxylin, eosin, squares } = settings;
  let image = Uint8ClampedArray.from(atob(pixels), (letter) => letter.charCodeAt(0));
  if (mix && (haematoxylin < 1 || eosin < 1)) image = fade(image, tile, haematoxylin, eosin);
  image = blur(image, size, Math.max(1, (settings.blur * size) / 224));
  const corners = squares.split(";").filter(Boolean).map((pair) => pair.split(",").map(Number));
  return layOn(sharpen(image, size, settings.sharpen), size, corners, side);
}

/** A canvas with a cursor; `lay` is called with the corner of a new square. */
function picture(lay) {
  let [size, side, corner] = [1, 1, [0, 0]];
  const cursor = element("span", { class: "lab-cursor" });
  const move = (to) => {
    corner = to.map((v) => Math.min(Math.max(Math.round(v), 0), size - side));
    const [top, left, width] = [...corner, side].map((v) => `${(100 * v) / size}%`);
    Object.assign(cursor.style, { top, left, width });
  };
  const pointerdown = ({ offsetX, offsetY }) => {
    move([offsetY, offsetX].map((v) => (v * size) / canvas.clientWidth - side / 2));
    lay(corner);
  };
  const keydown = (event) => {
    const step = KEYS[event.key];
    if (step) move(corner.map((v, k) => v + step[k] * (event.shiftKey ? 8 : 1)));
    else if (event.key === "Enter") lay(corner);
    if (step || event.key === "Enter") event.preventDefault();
  };
  const named = { tabindex: 0, role: "application", "aria-label": ASPECT };
  const canvas = element("canvas", { ...named, pointerdown, keydown });
  const show = (image, tile) => {
    ({ size, side } = tile);
    Object.assign(canvas, { width: size, height: size });
    const colours = new ImageData(size, size);
    for (let i = 0; i < image.length; i += 3) {
      colours.data.set([image[i], image[i + 1], image[i + 2], 255], (4 * i) / 3);
    }
    canvas.getContext("2d").putImageData(colours, 0, 0);
    move(corner);
  };
  return { figure: element("div", { class: "lab-picture" }, canvas, cursor), show };
}

function predictions({ classes, arms }, tile, logits) {
  const rows = arms.map(({ label, colour }, k) => {
    const [now, was] = [logits[k], tile.logits[k]].map((v) => sigmoid(v).toFixed(2));
    const style = `--arm: ${colour}; --now: ${now}; --was: ${was}`;
    const numbers = element("span", {}, element("b", {}, now), ` was ${was}`);
    return element("p", { class: "lab-bar", style }, label, numbers);
  });
  const truth = element("b", {}, classes[tile.target]);
  return [element("p", {}, `Probability of ${classes[1]}. The truth: `, truth), ...rows];
}

/** Accuracies along one shift, with the slider's position. */
function curve({ x, values, title, xLabel }, arms, here) {
  const axes = { x: [Math.floor(x[0]), x.at(-1)], y: [0.4, 1], xLabel };
  const panel = plot({ ...axes, title, yLabel: "balanced accuracy", width: 480, height: 210 });
  values.forEach((ys, k) => panel.path(x.map((at, i) => [at, ys[i]]), arms[k]));
  panel.upright(here);
  return panel.svg;
}

function render({ model, el }) {
  if (!globalThis.WebAssembly) throw Error("its networks need WebAssembly, which is off here");
  const [tasks, tiles, { reset }] = ["tasks", "tiles", "presets"].map((key) => model.get(key));
  const { figure, show } = picture((corner) => {
    model.set("squares", [model.get("squares"), corner.join()].filter(Boolean).join(";"));
    model.save_changes();
  });
  const told = element("div", { role: "status" });
  const curves = element("div", { class: "lab-curve" });
  const ranges = Object.entries(SLIDERS).map(([key, words]) => slider(model, key, ...words));
  let [loading, next, touched, moved] = [false, null, false, "blur"];
  Object.keys(SLIDERS).forEach((key) => model.on(`change:${key}`, () => (moved = key)));
  /** One question at a time; of those asked meanwhile, the last. */
  const ask = async (...question) => {
    next = question;
    if (loading) return;
    for (loading = true; next; ) {
      const [tile, image] = next;
      next = null;
      await predict(tasks[tile.task].file, image, tile.size).then(
        (logits) => told.replaceChildren(...predictions(tasks[tile.task], tile, logits)),
        ({ message }) => told.replaceChildren(`The networks cannot predict here: ${message}`),
      );
    }
    loading = false;
  };
  const draw = () => {
    const tile = tiles[model.get("tile")];
    const { arms, curves: known } = tasks[tile.task];
    const settings = Object.fromEntries(Object.keys(reset).map((key) => [key, model.get(key)]));
    const image = disturb(tile, settings);
    show(image, tile);
    ranges.slice(0, 2).forEach((range) => (range.hidden = !tile.mix));
    touched ||= Object.keys(reset).some((key) => settings[key] !== reset[key]);
    // Networks are loaded at the first touch; before it, their recorded predictions are shown.
    if (touched) ask(tile, image);
    else told.replaceChildren(...predictions(tasks[tile.task], tile, tile.logits));
    const shown = moved in known ? moved : "blur";
    curves.replaceChildren(curve(known[shown], arms, model.get(shown)));
  };
  const top = element("div", { class: "lab-top" }, figure, told);
  const names = Object.fromEntries(model.get("names").entries());
  const below = [choice(model, "tile", "image, truth", names), ...ranges, presets(model), HINT];
  compose(model, el, [top, element("div", {}, ...below)], [curves], draw);
}

export default { render };
