/* One cut-off for all: accuracy and recall move with it, the ranking does not (chapter 4). */

import { choice, compose, element, plot, presets, slider } from "./parts.js";

const COLUMNS = ["accuracy", "recall", "auroc"];
const HEADINGS = { accuracy: "balanced accuracy", recall: "recall", auroc: "AUROC" };
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
  seeds.reduce((sum, [negatives, positives]) => sum + auroc(negatives, positives), 0) / seeds.length;

function histogram(panel, seeds, look) {
  seeds[0].forEach((_, target) => {
    const values = seeds.flatMap((seed) => seed[target]);
    const tallest = 3; // times what a bin would hold if all bins were equal, at the panel's edge
    BINS.slice(1).forEach((end, k) => {
      const inside = share(values, BINS[k]) - share(values, end);
      const height = Math.min(1, (inside * BINS.length) / 3 / tallest);
      panel.bar(BINS[k], end, [0, target ? height : -height], look);
    });
  });
}

function render({ model, el }) {
  const [places, arms] = [model.get("places"), model.get("arms")];
  const both = { x: [-8, 8], y: [-1, 1], xLabel: "logit", yLabel: "tiles", height: 170 };
  const strips = Object.entries(arms).map(([arm, { label, colour }]) => ({
    arm,
    look: { colour, more: { "fill-opacity": 0.6 } },
    panel: plot({ ...both, title: `${label}: cancer up, benign down` }),
  }));
  const axes = { x: [-4, 4], y: [0.4, 1], xLabel: "cut-off, logit", yLabel: "balanced accuracy" };
  const curves = plot({ ...axes, title: "Accuracy at every cut-off", height: 210 });
  const body = element("tbody");
  const heading = ["", ...COLUMNS.map((column) => HEADINGS[column])];
  const head = element("thead", {}, ...heading.map((text) => element("th", { scope: "col" }, text)));
  const ranked = {};
  const draw = () => {
    const [place, cut] = [places[model.get("place")], model.get("cut")];
    ranked[place.name] ??= Object.keys(arms).map((arm) => ranking(place.logits[arm]));
    body.replaceChildren();
    curves.clear();
    curves.upright(cut);
    strips.forEach(({ arm, look, panel }, k) => {
      const seeds = place.logits[arm];
      panel.clear();
      histogram(panel, seeds, look);
      panel.upright(cut);
      curves.path(CUTS.map((at) => [at, measure(seeds, at).accuracy]), { colour: look.colour });
      const now = { ...measure(seeds, cut), auroc: ranked[place.name][k] };
      curves.dot(cut, now.accuracy, { colour: look.colour });
      const cells = COLUMNS.map((column) => element("td", {}, now[column].toFixed(3)));
      body.append(element("tr", {}, element("th", { scope: "row" }, arms[arm].label), ...cells));
    });
  };
  const tissues = Object.entries(places).map(([key, { name }]) => [key, name]);
  const controls = [
    choice(model, "place", "tissue", Object.fromEntries(tissues)),
    slider(model, "cut", "cut-off", [-4, 4, 0.05], (v) => {
      return `${v.toFixed(2)} (probability ${(1 / (1 + Math.exp(-v))).toFixed(2)})`;
    }),
    presets(model),
  ];
  const panels = [...strips.map(({ panel }) => panel.svg), curves.svg];
  const table = element("table", {}, head, body);
  const content = [element("div", { class: "live-panels" }, ...panels, table)];
  compose(model, el, controls, content, draw);
}

export default { render };
