/* Squares, blur and sharpening of a tile: sdlib.cutouts and sdlib.shifts, to the last bit.

   A tile is a Uint8ClampedArray, R, G, B of size x size pixels. Writing to one rounds half to even
   and clips, as OpenCV does. Numbers are in single precision where OpenCV's are. */

export const f32 = Math.fround;
/** a b + c, rounded once, as processors and OpenCV do it; a and b are in single precision. */
export const fma = (a, b, c) => f32(a * b + c);

/** Lay black squares of `side` px on a copy; corners are [row, column]. */
export function layOn(image, size, corners, side) {
  const out = image.slice();
  for (const [row, column] of corners) {
    for (let y = row; y < row + side; y++) {
      out.fill(0, 3 * (y * size + column), 3 * (y * size + column + side));
    }
  }
  return out;
}

/** The border is reflected without repeating the edge pixel. */
const reflect = (i, size) => (i < 0 ? -i : i < size ? i : 2 * (size - 1) - i);

/** Weighted sums along one axis; a term has the weight of two pixels, p and q from the middle. */
function pass(from, size, terms, [along, across]) {
  const out = new Float32Array(from.length);
  const place = (i) => along * reflect(i, size);
  for (let i = 0; i < size; i++) {
    const here = terms.map(({ weight, p, q }) => ({ weight, p: place(i + p), q: place(i + q) }));
    for (let at = 0; at < across * size; at += at % 3 < 2 ? 1 : across - 2) {
      let sum = 0;
      for (const { weight, p, q } of here) sum = fma(f32(from[p + at] + from[q + at]), weight, sum);
      out[i * along + at] = sum;
    }
  }
  return out;
}

function filter(image, size, rows, columns = rows) {
  return pass(pass(image, size, rows, [3, 3 * size]), size, columns, [3 * size, 3]);
}

/** Single pixels, each counted twice with half its weight, which changes no bit. */
const single = (width, weight = () => 1) =>
  Array.from({ length: width }, (_, k) => k - (width >> 1)).map((k) => {
    return { weight: weight(k) / 2, p: k, q: k };
  });

/** The mean over `width` x `width` px; the width, at least 1, need not be whole. */
export function blur(image, size, width) {
  if (width === 1) return image.slice();
  if (Number.isInteger(width)) {
    const area = width ** 2;
    // OpenCV shifts bits where the area is a power of two, and then goes up a little early.
    const half = (area >> 1) + (area & (area - 1) ? 0 : 1);
    const sums = filter(image, size, single(width));
    return Uint8ClampedArray.from(sums, (sum) => Math.floor((sum + half) / area));
  }
  const reach = Math.ceil((width - 1) / 2);
  const weight = (k) => f32(Math.min(1, width / 2 + 0.5 - Math.abs(k)) / width);
  const each = single(2 * reach + 1, weight);
  // In columns OpenCV adds pairs first, from the middle outwards.
  const pairs = each.slice(reach).map(({ p }) => ({ weight: weight(p) / (p ? 1 : 2), p, q: -p }));
  return Uint8ClampedArray.from(filter(image, size, each, pairs));
}

/** Blend with the sharpened image, which is clipped first. */
export function sharpen(image, size, alpha) {
  const sums = filter(image, size, single(3));
  const sharp = Uint8ClampedArray.from(image, (value, i) => 10 * value - sums[i]);
  return image.map((value, i) => fma(value, f32(1 - alpha), f32(sharp[i] * f32(alpha))));
}
