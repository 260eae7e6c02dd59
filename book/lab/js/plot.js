/* Plots of the figures: axes, and what is drawn on them. */

import { element } from "./parts.js";

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
