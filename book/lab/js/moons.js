/* Two moons, learned in the page while the reader changes the penalty (chapter 2). */

import { compose, element, floats, presets, slider } from "./parts.js";
import { plot } from "./plot.js";

/** Where logits on columns of nodes are 0: second and first coordinate. */
export function boundary(logits, [first, second]) {
  const share = (k) => logits[k] / (logits[k] - logits[k + 1]);
  const crossed = (k) => second[k] === second[k + 1] && share(k) >= 0 && share(k) < 1;
  const nodes = [...logits.keys()].filter(crossed);
  return nodes.map((k) => [second[k], first[k] + share(k) * (first[k + 1] - first[k])]);
}

/** Margins from the smallest to the largest. */
const margins = (logits, [, , target]) => logits.map((f, n) => (target[n] ? f : -f)).sort();

function render({ model, el }) {
  const { lams, decays, rests, arms, classes, axes, last, note } = model.get("fixed");
  const [[weights], ...sets] = model.get("data").map((set) => set.map((one) => floats(one)));
  const start = { weights, velocity: weights.map(() => 0), sets, epoch: 0 };
  const worker = new Worker(new URL("./moons_worker.js", import.meta.url), { type: "module" });
  const strengths = () => ({ lam: lams[model.get("lam")], decay: decays[model.get("decay")] });
  const goal = () => Math.min(model.get("goal"), last);
  const tell = (more) => worker.postMessage({ ...strengths(), goal: goal(), ...more });
  const map = plot(axes);
  const [first, second, targets] = sets[0];
  targets.forEach((target, n) => map.dot(second[n], first[n], classes[target]));
  map.svg.append(map.svg.lastChild.cloneNode(true)); // points stay when the boundary is cleared
  const words = element("p", { class: "live-numbers", role: "status" });
  worker.onmessage = ({ data: { epoch, found } }) => {
    const running = epoch < goal();
    if (running && matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const arm = model.get("lam") ? "sd" : model.get("decay") ? "weight_decay" : "cross_entropy";
    map.clear();
    for (const at of boundary(found[2], sets[2])) map.dot(...at, arms[arm]);
    const [learned, fresh] = [0, 1].map((k) => margins(found[k], sets[k]));
    const [low, middle] = [learned[0], learned[learned.length >> 1]].map((v) => v.toFixed(2));
    const right = fresh.filter((margin) => margin > 0).length / fresh.length;
    words.setAttribute("aria-live", running ? "off" : "polite"); // not 30 times a second
    words.textContent =
      `Epoch ${epoch}. Smallest margin ${low}, median ${middle}; ${rests[model.get("lam")]}. ` +
      `Right on moons put back together: ${right.toFixed(3)}.`;
  };
  const ends = (list) => [0, list.length - 1, 1];
  const lam = slider(model, "lam", "penalty λ", ends(lams), () => strengths().lam);
  const decay = slider(model, "decay", "weight decay", ends(decays), () => strengths().decay);
  const restart = element("button", { type: "button", click: () => tell(start) }, "Restart");
  const side = element("div", {}, presets(model), restart, element("p", {}, note), words);
  const panels = element("div", { class: "live-panels" }, map.svg, side);
  tell(start);
  compose(model, el, [lam, decay], [panels], () => tell());
  return () => worker.terminate();
}

export default { render };
