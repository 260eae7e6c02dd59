/* Two coupled features: how one grows stronger and the other starves (chapter 2). */

import { compose, element, slider } from "./parts.js";
import { plot } from "./plot.js";

const sigmoid = (v) => 1 / (1 + Math.exp(-v));
const softplus = (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

/** Responses z and margins where training stops, by Newton's method as sdlib.theory.dual does.

    Two examples, two features of strengths s, coupled by d; weight is lam / s^2, or lam for SD. */
export function fixedPoint(d, s, lam, penalty) {
  const c = Math.sqrt(1 - d * d);
  const margins = ([z1, z2]) => [c * z1 - d * z2, d * z1 + c * z2];
  const weight = s.map((strength) => (penalty === "sd" ? lam : lam / strength ** 2));
  const loss = (z) => {
    const fit = margins(z).reduce((sum, m) => sum + softplus(-m), 0);
    return fit + (weight[0] * z[0] ** 2 + weight[1] * z[1] ** 2) / 2;
  };
  let z = [0, 0];
  for (let step = 0; step < 200; step++) {
    const [a, b] = margins(z).map((m) => sigmoid(-m));
    const [p, q] = [a * (1 - a), b * (1 - b)];
    const pull = [c * a + d * b - weight[0] * z[0], -d * a + c * b - weight[1] * z[1]];
    const h11 = c * c * p + d * d * q + weight[0];
    const h22 = d * d * p + c * c * q + weight[1];
    const h12 = c * d * (q - p);
    const det = h11 * h22 - h12 * h12;
    const move = [(h22 * pull[0] - h12 * pull[1]) / det, (h11 * pull[1] - h12 * pull[0]) / det];
    let size = 1;
    const next = () => [z[0] + size * move[0], z[1] + size * move[1]];
    const highest = loss(z) * (1 + 1e-12);
    while (loss(next()) > highest) size /= 2;
    z = next();
    if (Math.max(Math.abs(move[0]), Math.abs(move[1])) < 1e-9) break;
  }
  return { z, margins: margins(z) };
}

const S1 = Array.from({ length: 100 }, (_, k) => 0.5 + (7.5 * k) / 99);
const FIRST = { dash: "", more: {} };
const SECOND = { dash: "6 3", more: {} };
const PENALTIES = { weight_decay: "Weight decay", sd: "Spectral decoupling" };

function render({ model, el }) {
  const arms = model.get("arms");
  const axes = { x: [0.5, 8], y: [-4, 12], xLabel: "strength s₁ of the first feature" };
  const plots = Object.entries(PENALTIES).map(([penalty, title]) => ({
    penalty,
    look: { colour: arms[penalty] },
    responses: plot({ ...axes, title, yLabel: "response z*" }),
    bars: element("p", { class: "live-numbers" }),
  }));
  const draw = () => {
    const [s1, s2, d] = ["s1", "s2", "d"].map(model.get);
    const lam = 10 ** model.get("log_lam");
    for (const { penalty, look, responses, bars } of plots) {
      const curve = S1.map((s) => fixedPoint(d, [s, s2], lam, penalty).z);
      const here = fixedPoint(d, [s1, s2], lam, penalty);
      responses.clear();
      responses.upright(s1);
      [FIRST, SECOND].forEach((dash, k) => {
        responses.path(
          S1.map((s, i) => [s, curve[i][k]]),
          { ...look, ...dash },
        );
        responses.dot(s1, here.z[k], look);
      });
      const [z1, z2, m1, m2] = [...here.z, ...here.margins].map((v) => v.toFixed(2));
      bars.textContent = `z₁* = ${z1} (solid), z₂* = ${z2} (dashed); margins ${m1} and ${m2}`;
    }
  };
  const controls = [
    slider(model, "s1", "strength s₁", [0.5, 8, 0.05], (v) => v.toFixed(2)),
    slider(model, "s2", "strength s₂", [0.5, 8, 0.05], (v) => v.toFixed(2)),
    slider(model, "d", "coupling d", [0, 0.95, 0.01], (v) => v.toFixed(2)),
    slider(model, "log_lam", "penalty λ", [-3, 0, 0.02], (v) => (10 ** v).toPrecision(2)),
  ];
  const panels = plots.map(({ responses, bars }) => element("div", {}, responses.svg, bars));
  compose(model, el, controls, [element("div", { class: "live-panels" }, ...panels)], draw);
}

export default { render };
