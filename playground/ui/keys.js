// Alt+1 to Alt+4 vote anywhere. The bare digits do so only where nobody can have meant to write: after Escape, or with
// the focus on the vote buttons or a reason's box, when the buttons show them. The buttons decide whether a vote is possible.
const BOX = ".prompt textarea";
const DIGITS = ["Digit1", "Digit2", "Digit3", "Digit4"]; // the key, not the sign: Alt types another one in many layouts
const digitsVote = (on) => document.body.classList.toggle("digits-vote", on);
document.addEventListener("keydown", (event) => {
  const { code, ctrlKey, metaKey, altKey, shiftKey, target } = event;
  if (event.key === "Escape") {
    document.activeElement?.blur();
    return digitsVote(true);
  }
  if (ctrlKey || metaKey || shiftKey || event.getModifierState("AltGraph")) return;
  const button = document.querySelectorAll("button.vote-button")[DIGITS.indexOf(code)];
  if (button?.offsetParent && (altKey || document.body.classList.contains("digits-vote"))) {
    event.preventDefault();
    if (!button.disabled) button.click();
  } else if (!altKey && event.key.length === 1 && event.key !== " " && target === document.body) {
    document.querySelector(BOX)?.focus(); // what is typed elsewhere goes into the box
  }
});
document.addEventListener("focusin", ({ target }) => digitsVote(Boolean(target.closest?.(".vote, .tags [type=checkbox]"))));
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
  // a phone offers its camera then; other files get through all the same, so that the app says what is wrong with them
  document.querySelector(".prompt input[type=file]:not([accept='image/*'])")?.setAttribute("accept", "image/*");
}).observe(document.documentElement, { childList: true, subtree: true });
