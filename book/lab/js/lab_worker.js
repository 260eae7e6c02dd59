/* What networks predict, beside the page: onnxruntime-web, one thread, loaded when asked. */

const address = (file) => new URL(file, import.meta.url).href;
const sessions = {};
let runtime;

async function start() {
  const ort = await import("./ort/ort.wasm.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: address("./ort/") });
  return ort;
}

/** Logits of all networks of a file for one tile; the networks themselves scale grey levels. */
async function predict({ file, image, size }) {
  const ort = await (runtime ??= start());
  sessions[file] ??= ort.InferenceSession.create(address(`./networks/${file}.onnx`));
  const tile = new ort.Tensor("uint8", new Uint8Array(image), [1, size, size, 3]);
  const { logits } = await (await sessions[file]).run({ tile });
  return [...logits.data];
}

onmessage = ({ data, ports: [port] }) =>
  predict(data).then(
    (logits) => port.postMessage({ logits }),
    ({ message }) => port.postMessage({ error: message }),
  );
