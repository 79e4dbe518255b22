// Keys 1 to 4 vote when no field has the focus. The buttons decide whether a vote is possible.
document.addEventListener("keydown", (event) => {
  const index = ["1", "2", "3", "4"].indexOf(event.key);
  const typing = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, [contenteditable=true], [role=listbox]");
  if (index < 0 || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = document.querySelectorAll("button.vote-button")[index];
  if (button && !button.disabled) button.click();
});
// Gradio gives these no accessible name.
const NAMES = { ".prompt textarea": "Prompt", "#swap": "Swap models", "fieldset.pacing-seg": "Pacing",
  "fieldset.mode-seg": "Names", "fieldset.tags": "Reasons" };
new MutationObserver(() => {
  for (const [place, name] of Object.entries(NAMES)) {
    document.querySelector(`${place}:not([aria-label])`)?.setAttribute("aria-label", name);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
