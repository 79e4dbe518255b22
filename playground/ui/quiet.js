// Ends a clock of Gradio's that nobody sees. Its start screen (StatusTracker, gradio 6.31) leaves the page while its
// clock runs, and the clock then asks for 60 frames a second for ever, which takes a tenth of a core from the models.
// A clock is told by what it computes; one whose tracker is in the page goes on. Where Gradio changes, this does nothing.
(() => {
  const ask = window.requestAnimationFrame.bind(window);
  const isClock = (callback) => /performance\.now\(\)\s*-[^;]*\/\s*(1e3|1000)/.test(String(callback));
  const isSeen = () => document.querySelector('[data-testid="status-tracker"]:not(.hide)');
  window.requestAnimationFrame = (callback) => (isClock(callback) && !isSeen() ? 0 : ask(callback));
})();
