/* Fading the stains of a tile: sdlib.stain's recombine, to the last bit. */

import { f32, fma } from "./pixels.js";

const DENSITY = Float32Array.from({ length: 256 }, (_, k) => -Math.log((k + 1) / 240));
// Added to a number in single precision and taken away again, it rounds half to even.
const MAGIC = 1.5 * 2 ** 23;
// 2 ** r - 1 for r from -1/2 to 1/2, as in sdlib.stain.kernels.
const TERMS = [0.00132107333, 0.00965253316, 0.0555074363, 0.240226507, 0.693147181].map(f32);

/** [scale, growth], so that 2 ** x is scale (1 + growth). */
function power(x) {
  const within = Math.min(Math.max(x, -20), 20);
  const whole = f32(within + MAGIC) - MAGIC;
  const r = f32(within - whole);
  return [2 ** whole, f32(r * TERMS.reduce((sum, term) => fma(r, sum, term)))];
}

/** Multiply the stains of a tile, from 0 to 1 by tenths; what no stain explains is kept.

    `unmix` and `mix` are 2 x 3, in single precision: the weights of optical densities in either
    stain, and the densities of either stain in powers of two. */
export function fade(image, { unmix, mix }, haematoxylin, eosin) {
  const [h, e] = [f32(1 - haematoxylin), f32(1 - eosin)];
  const steps = Math.round(10 * (1 - Math.min(haematoxylin, eosin)));
  const light = (start, ofH, ofE) => {
    const at = h && e ? fma(ofH, h, f32(ofE * e)) : f32(f32(0.1) * (h ? ofH : ofE));
    const [scale, growth] = power(at);
    if (h && e) return f32(start * fma(scale, growth, scale));
    // One stain alone is taken out tenth by tenth.
    const step = fma(scale, growth, f32(scale - 1));
    let now = start;
    for (let k = 0; k < steps; k++) now = fma(now, step, now);
    return now;
  };
  return image.map((value, i) => {
    const [r, g, b] = [0, 1, 2].map((c) => DENSITY[image[i - (i % 3) + c]]);
    const [ofH, ofE] = unmix.map((w, s) => {
      return f32(fma(w[2], b, fma(w[0], r, f32(w[1] * g))) * mix[s][i % 3]);
    });
    return f32(light(value + 1, ofH, ofE) - 1);
  });
}
