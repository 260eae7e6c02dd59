/* For readers with a keyboard or a screen reader: what the theme and its extensions leave out. */
(function () {
  "use strict";

  const WIDE = "article div, article pre, article table, article mjx-container";

  /* A fold and the search button are named by the words that they show, not by others. */
  function nameByText() {
    const named = document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]");
    for (const one of named) one.removeAttribute("aria-label");
  }

  /* The references are a list, and what a list holds are its items. */
  function nameReferences() {
    const entries = document.querySelectorAll(".citation-list > .citation");
    for (const one of entries) one.setAttribute("role", "listitem");
  }

  /* What is wider than the page can be reached with the Tab key and scrolled with the arrows. */
  function reachWide() {
    for (const one of document.querySelectorAll(WIDE)) {
      const scrolls = ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
      if (!scrolls || one.scrollWidth <= one.clientWidth) continue;
      one.tabIndex = 0;
      if (one.hasAttribute("role")) continue;
      one.setAttribute("role", "group");
      one.setAttribute("aria-label", "Wider than the page: scroll sideways");
    }
  }

  function later() {
    setTimeout(reachWide, 100); // a fold has opened, a formula has been set
  }

  document.addEventListener("DOMContentLoaded", () => {
    nameByText();
    nameReferences();
  });
  window.addEventListener("load", () => {
    nameByText(); // some labels are added by scripts
    reachWide();
    later();
  });
  window.addEventListener("resize", later);
  document.addEventListener("click", later);
  document.addEventListener("toggle", later, true);
})();
