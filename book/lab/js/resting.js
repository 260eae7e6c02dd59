/* Where logits rest under Equations 1 and 2, and what cut-off that is worth (chapter 3). */

import { compose, element, presets, slider } from "./parts.js";
import { plot } from "./plot.js";

const sigmoid = (v) => 1 / (1 + Math.exp(-v));

/** The logit f of a positive that solves lam (f - gamma) = sigmoid(-f), by bisection. */
function restingPositive(lam, gamma) {
  let [low, high] = [gamma - 1, Math.max(gamma, 0) + Math.max(1, -Math.log(lam)) + 1];
  for (let k = 0; k < 60; k++) {
    const middle = (low + high) / 2;
    if (lam * (middle - gamma) < sigmoid(-middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** [negative, positive], as sdlib.theory.resting_logits; lam and gamma are such pairs, too. */
export function restingLogits(lam, gamma) {
  return [-restingPositive(lam[0], -gamma[0]), restingPositive(lam[1], gamma[1])];
}

/** The share of positives above which the optimum says positive, as cutoff_worth. */
export function cutoffWorth(lam, gamma) {
  const down = Math.max(0.5 - lam[0] * gamma[0], 0);
  const up = Math.max(0.5 + lam[1] * gamma[1], 0);
  return down / (down + up);
}

const POWERS = Array.from({ length: 81 }, (_, k) => -4 + k / 20);
const strength = (power) => (10 ** power).toPrecision(2);

function render({ model, el }) {
  const { sd_eq1: one, sd_eq2: two } = model.get("arms");
  const lambdas = () => [10 ** model.get("log_neg"), 10 ** model.get("log_pos")];
  const gammas = () => [model.get("gamma_neg"), model.get("gamma_pos")];
  const axes = { x: [-4, 0], y: [-8, 8], yLabel: "resting logit" };
  const panels = [
    plot({ ...axes, title: "Negatives", xLabel: "λ of negatives, power of ten" }),
    plot({ ...axes, title: "Positives", xLabel: "λ of positives, power of ten" }),
  ];
  const words = element("p", { class: "live-numbers", role: "status" });
  const draw = () => {
    const [lam, gamma] = [lambdas(), gammas()];
    const rest = restingLogits(lam, gamma);
    panels.forEach((panel, k) => {
      panel.clear();
      const curve = (at) => POWERS.map((p) => [p, restingLogits([10 ** p, 10 ** p], at)[k]]);
      panel.path(curve([0, 0]), { colour: one });
      panel.path(curve(gamma), { colour: two, dash: "6 3" });
      panel.dot(Math.log10(lam[k]), rest[k], { colour: two });
    });
    const worth = rest[0] < rest[1] ? cutoffWorth(lam, gamma).toFixed(3) : "none: classes swapped";
    const [neg, pos] = rest.map((v) => v.toFixed(2));
    const both = `Negatives rest at ${neg}, positives at ${pos}`;
    words.textContent = `${both}; worth a cut-off of ${worth}.`;
  };
  const controls = [
    slider(model, "log_neg", "λ of negatives", [-4, 0, 0.001], strength),
    slider(model, "log_pos", "λ of positives", [-4, 0, 0.001], strength),
    slider(model, "gamma_neg", "γ of negatives", [-3, 3, 0.01], (v) => v.toFixed(2)),
    slider(model, "gamma_pos", "γ of positives", [-3, 3, 0.01], (v) => v.toFixed(2)),
    presets(model),
  ];
  const both = element("div", { class: "live-panels" }, ...panels.map(({ svg }) => svg));
  compose(model, el, controls, [both, words], draw);
}

export default { render };
