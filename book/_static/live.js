/* Starts the figures that respond, on pages that have some: modules load when they are needed. */
(function () {
  "use strict";

  const here = document.currentScript.src;

  document.addEventListener("DOMContentLoaded", () => {
    const figures = document.querySelectorAll(".live-figure");
    if (!figures.length) return;
    if (location.protocol !== "file:") {
      import(new URL("lab/mount.js", here).href);
      return;
    }
    for (const one of figures) {
      const told = document.createElement("p");
      told.textContent =
        "This figure responds where the page is served, because a browser loads no modules from a " +
        "folder: run `python -m http.server` in the folder of index.html, and open http://localhost:8000.";
      one.append(told);
    }
  });
})();
