/* One cut-off for all: accuracy and recall move with it, the ranking does not (chapter 4). */

import { choice, compose, element, floats, presets, slider } from "./parts.js";
import { plot } from "./plot.js";

const HIGHEST = 0.25; // share of a class in one bin, at the edge of a panel
const BINS = Array.from({ length: 41 }, (_, k) => -8 + 0.4 * k);
const CUTS = Array.from({ length: 81 }, (_, k) => -4 + k / 10);

function share(values, cut) {
  let above = 0;
  for (const value of values) above += value > cut;
  return above / values.length;
}

/** The chance that a positive ranks above a negative; ties count one half. */
function auroc(negatives, positives) {
  const sorted = Float64Array.from(negatives).sort();
  const below = (value, inclusive) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inclusive ? sorted[middle] <= value : sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  let sum = 0;
  for (const value of positives) sum += (below(value, false) + below(value, true)) / 2;
  return sum / (sorted.length * positives.length);
}

/** Means over seeds at a cut-off in logits; each seed has the logits of either class. */
export function measure(seeds, cut) {
  const mean = (one) => seeds.reduce((sum, seed) => sum + one(seed), 0) / seeds.length;
  const recall = mean(([, positives]) => share(positives, cut));
  const specificity = mean(([negatives]) => 1 - share(negatives, cut));
  return { accuracy: (recall + specificity) / 2, recall };
}

export const ranking = (seeds) =>
  seeds.reduce((sum, [negatives, positives]) => sum + auroc(negatives, positives), 0) /
  seeds.length;

function histogram(panel, seeds, look) {
  [0, 1].forEach((target) => {
    const values = seeds.flatMap((seed) => [...seed[target]]);
    BINS.slice(1).forEach((end, k) => {
      const inside = Math.min(HIGHEST, share(values, BINS[k]) - share(values, end));
      panel.bar(BINS[k], end, [0, target ? inside : -inside], look);
    });
  });
}

/** What does not change with the cut-off: logits, the curve over all cut-offs, the ranking. */
function prepare(packed) {
  const seeds = packed.map((classes) => classes.map(floats));
  const curve = CUTS.map((cut) => [cut, measure(seeds, cut).accuracy]);
  return { seeds, curve, auroc: ranking(seeds) };
}

function render({ model, el }) {
  const [places, arms] = [model.get("places"), model.get("arms")];
  const both = { x: [-8, 8], y: [-HIGHEST, HIGHEST], xLabel: "logit", yLabel: "benign ← → cancer" };
  const strips = Object.entries(arms).map(([arm, { label, colour }]) => ({
    arm,
    look: { colour, more: { "fill-opacity": 0.6 } },
    panel: plot({ ...both, title: label }),
  }));
  const axes = { x: [-4, 4], y: [0.4, 1], xLabel: "cut-off, logit", yLabel: "balanced accuracy" };
  const curves = plot({ ...axes, title: "Accuracy at every cut-off" });
  const body = element("tbody");
  const headings = ["arm", "balanced accuracy", "recall", "AUROC"];
  const head = headings.map((text) => element("th", { scope: "col" }, text));
  const known = {};
  const draw = () => {
    const [place, cut] = [model.get("place"), model.get("cut")];
    body.replaceChildren();
    curves.clear();
    curves.upright(cut);
    for (const { arm, look, panel } of strips) {
      known[place + arm] ??= prepare(places[place][arm]);
      const { seeds, curve, auroc } = known[place + arm];
      const { accuracy, recall } = measure(seeds, cut);
      panel.clear();
      histogram(panel, seeds, look);
      panel.upright(cut);
      curves.path(curve, { colour: look.colour });
      curves.dot(cut, accuracy, { colour: look.colour });
      const name = element("th", { scope: "row" }, arms[arm].label);
      const numbers = [accuracy, recall, auroc].map((v) => element("td", {}, v.toFixed(3)));
      body.append(element("tr", {}, name, ...numbers));
    }
  };
  const names = Object.keys(places).map((name) => [name, name]);
  const controls = [
    choice(model, "place", "place", Object.fromEntries(names)),
    slider(model, "cut", "cut-off", [-4, 4, 0.05], (v) => {
      return `${v.toFixed(2)} (p = ${(1 / (1 + Math.exp(-v))).toFixed(2)})`;
    }),
    presets(model),
  ];
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), body);
  const panels = [...strips.map(({ panel }) => panel.svg), curves.svg, table];
  compose(model, el, controls, [element("div", { class: "live-panels" }, ...panels)], draw);
}

export default { render };
