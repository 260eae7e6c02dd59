/* Live figures in a page without a kernel: a small stand-in for anywidget's host.

   Each <div class="live-figure" data-figure="NAME"> holds its state as JSON, and what is shown
   where scripts do not run. The module NAME.js draws the figure into it. */

/** anywidget's model. What the reader changes is kept in the page's address: ?NAME.key=value. */
export function modelOf(name, state) {
  const values = { ...state };
  const listeners = [];
  for (const [address, text] of new URLSearchParams(location.search)) {
    const key = address.startsWith(`${name}.`) ? address.slice(name.length + 1) : "";
    if (!["number", "string"].includes(typeof state[key])) continue;
    const value = typeof state[key] === "number" ? Number(text) : text;
    if (!Number.isNaN(value)) values[key] = value;
  }
  return {
    get: (key) => values[key],
    set(key, value) {
      if (values[key] === value) return;
      values[key] = value;
      for (const [event, listener] of listeners) {
        if (event === "change" || event === `change:${key}`) listener();
      }
    },
    save_changes() {
      const address = new URL(location.href);
      for (const [key, value] of Object.entries(values)) {
        if (typeof value === "object") continue;
        if (value === state[key]) address.searchParams.delete(`${name}.${key}`);
        else address.searchParams.set(`${name}.${key}`, value);
      }
      history.replaceState(null, "", address);
    },
    on: (event, listener) => listeners.push([event, listener]),
  };
}

/** Draw one figure; where that fails, what stood there before stays, and says why. */
async function mount(el) {
  const still = [...el.childNodes];
  try {
    const { default: figure } = await import(`./${el.dataset.figure}.js`);
    const state = JSON.parse(el.querySelector("script").textContent);
    el.replaceChildren();
    await figure.render({ model: modelOf(el.dataset.figure, state), el });
    el.dataset.ready = "yes";
  } catch (error) {
    el.replaceChildren(...still, `This figure could not start: ${error.message}`);
  }
}

await Promise.all([...document.querySelectorAll(".live-figure")].map(mount));
