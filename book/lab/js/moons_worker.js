/* Two moons: a ReLU network with one hidden layer, trained as sdlib.theory.moons trains it.

   Weights are one array: for every hidden unit its weight of the first input, of the second, its
   bias and its weight in the logit; last, the logit's bias. Points are columns: first coordinate,
   second, target. Both are float32, as in the library, and sums are float64. */

const [RATE, MOMENTUM] = [0.01, 0.9];
const [PACE, INTERVAL] = [8, 32]; // epochs between two pictures; ms, which leave time to draw
const relu = (v) => (v + Math.abs(v)) / 2; // without a branch, which takes twice the time
const net = {};

export function logits(weights, [x, y]) {
  const found = new Float64Array(x.length).fill(weights.at(-1));
  for (let k = 0; k + 4 < weights.length; k += 4) {
    const [a, b, c, d] = weights.subarray(k, k + 4);
    for (let n = 0; n < x.length; n++) found[n] += d * relu(a * x[n] + b * y[n] + c);
  }
  return found;
}

/** One step of gradient descent, in place, over all points. */
export function step({ weights, velocity, lam, decay }, [x, y, target]) {
  const pull = logits(weights, [x, y]).map((f, n) => 1 / (1 + Math.exp(-f)) - target[n] + lam * f);
  // The gradient of the logit's bias, which comes last, is the sum; the units follow.
  const gradient = new Float64Array(weights.length).fill(pull.reduce((sum, one) => sum + one));
  for (let k = 0; k + 4 < weights.length; k += 4) {
    const [a, b, c, d] = weights.subarray(k, k + 4);
    let [s, t, u] = [0, 0, 0];
    for (let n = 0; n < x.length; n++) {
      const active = pull[n] * (a * x[n] + b * y[n] + c > 0);
      [s, t, u] = [s + active * x[n], t + active * y[n], u + active];
    }
    gradient.set([s * d, t * d, u * d, s * a + t * b + u * c], k);
  }
  weights.forEach((weight, k) => {
    velocity[k] = MOMENTUM * velocity[k] + gradient[k] / x.length + decay * weight;
    weights[k] -= RATE * velocity[k];
  });
}

/** Some epochs, and a report to the page. */
function train(epochs) {
  for (let k = 0; k < epochs; k++) step(net, net.sets[0]);
  net.epoch += epochs;
  self.postMessage({ epoch: net.epoch, found: net.sets.map((set) => logits(net.weights, set)) });
}

/* The page tells any of: weights, velocity, sets (it learns the first), epoch, goal, lam, decay.
   A goal is an epoch; one between two pictures is the later one. */
self.onmessage = ({ data }) => train(0, Object.assign(net, data));
setInterval(() => net.epoch < net.goal && train(PACE), INTERVAL);
