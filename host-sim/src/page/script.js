"use strict";
// What a pointer or the keyboard adds: the figures of one token below its text, and its bar beside it in the chart.
for (const figure of document.querySelectorAll(".sounding")) {
  const characters = [...figure.querySelectorAll(".text .c")];
  const readout = figure.querySelector(".readout");
  const plot = document.querySelector(`.plot[data-run="${figure.dataset.run}"]`);
  if (characters.length === 0) continue;
  const idle = "Point at a character or move with the arrow keys.";
  const bars = new Map(plot ? [...plot.querySelectorAll("[data-at]")].map((bar) => [bar.dataset.at, bar]) : []);
  const byPosition = new Map(characters.map((character) => [character.dataset.at, character]));
  let shown = null;
  readout.textContent = idle;
  for (const character of characters) {
    character.dataset.figures = character.title;
    character.removeAttribute("title"); // the readout says it
    character.tabIndex = -1;
  }
  // One stop of the tab key for the whole text; the arrows move within.
  let current = characters.find((character) => character.classList.contains("made")) || characters[0];
  current.tabIndex = 0;
  const show = (character) => {
    if (shown) {
      shown.classList.remove("on");
      bars.get(shown.dataset.at)?.classList.remove("on");
    }
    shown = character;
    if (!character) return;
    character.classList.add("on");
    bars.get(character.dataset.at)?.classList.add("on");
    const text = { "↵": "line end", " ": "space" }[character.textContent] || character.textContent;
    readout.textContent = `${text} — ${character.dataset.figures}`;
  };
  const focus = (character) => {
    current.tabIndex = -1;
    current = character;
    current.tabIndex = 0;
    current.focus();
  };
  // The character straight above or below, as the eye sees it.
  const vertical = (direction) => {
    const from = current.getBoundingClientRect();
    let best = null;
    let distance = Infinity;
    for (const character of characters) {
      const to = character.getBoundingClientRect();
      const lines = (to.top - from.top) * direction;
      if (lines < from.height / 2) continue;
      const away = lines * 1000 + Math.abs(to.left - from.left);
      if (away < distance) [best, distance] = [character, away];
    }
    return best;
  };
  figure.addEventListener("pointerover", (event) => {
    const character = event.target.closest(".text .c");
    if (character) show(character);
  });
  figure.addEventListener("click", (event) => {
    const character = event.target.closest(".text .c");
    if (character) focus(character);
  });
  figure.addEventListener("focusin", (event) => {
    const character = event.target.closest(".text .c");
    if (character) show(character);
  });
  figure.addEventListener("keydown", (event) => {
    if (!event.target.closest(".text .c") || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = characters.indexOf(current);
    const next = {
      ArrowRight: () => characters[at + 1],
      ArrowLeft: () => characters[at - 1],
      ArrowDown: () => vertical(1),
      ArrowUp: () => vertical(-1),
      Home: () => characters[0],
      End: () => characters[characters.length - 1],
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const character = next();
    if (character) focus(character);
  });
  plot?.addEventListener("pointerover", (event) => {
    const character = byPosition.get(event.target.dataset?.at);
    if (character) show(character);
  });
}
