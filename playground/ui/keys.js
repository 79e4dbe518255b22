// Keys 1 to 4 vote when no field has the focus. The buttons decide whether a vote is possible.
const TYPED = "input:not([type=checkbox], [type=radio]), textarea, [contenteditable=true], [role=listbox]";
const BOX = ".prompt textarea";
document.addEventListener("keydown", (event) => {
  if (event.target.closest?.(TYPED) || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = document.querySelectorAll("button.vote-button")[["1", "2", "3", "4"].indexOf(event.key)];
  if (button && !button.disabled) button.click();
  // what is typed elsewhere goes into the box, which gave the focus up
  else if (event.key.length === 1 && event.key !== " " && event.target === document.body) document.querySelector(BOX)?.focus();
});
// When a vote becomes possible, a box in which nothing is written gives the focus up, so that the keys vote.
new MutationObserver((changes) => {
  if (!changes.some(({ target }) => target.matches("button.vote-button:not(:disabled)"))) return;
  const focused = document.activeElement;
  if (focused?.matches(BOX) && !focused.value) focused.blur();
}).observe(document.documentElement, { subtree: true, attributeFilter: ["disabled"] });
// Whoever clicks a picker may type at once what to look for.
document.addEventListener("click", (event) => {
  if (event.target.matches?.(".pick input")) event.target.select();
});
// Gradio gives these no accessible name.
const NAMES = { ".prompt textarea": "Prompt", "#swap": "Swap models", "fieldset.pacing-seg": "Pacing",
  "fieldset.mode-seg": "Names", "fieldset.tags": "Reasons" };
new MutationObserver(() => {
  for (const [place, name] of Object.entries(NAMES)) {
    document.querySelector(`${place}:not([aria-label])`)?.setAttribute("aria-label", name);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
