// Fields take no input from the click on a preset, or on another button that sets them, until their
// new values have arrived: what is typed before would be lost, or added to a value that comes while
// it is typed. A hidden field counts the changes that have arrived.
(() => {
  const buttons = ".st-key-preset button, .st-key-parameter_reset button, .st-key-parameter_dice button";
  const panels = "[class*=st-key-parameter_fields_]";
  const maxMilliseconds = 3000; // of a page that does not answer
  const received = () => document.querySelector(".st-key-parameter_hidden input")?.value;
  let waitUntil = 0;
  let receivedBefore;
  const setInert = (isInert) => document.querySelectorAll(panels).forEach((panel) => (panel.inert = isInert));
  const update = () => {
    const isWaiting = performance.now() < waitUntil && received() === receivedBefore;
    setInert(isWaiting);
    if (isWaiting) requestAnimationFrame(update);
    else waitUntil = 0;
  };
  const onClick = (event) => {
    if (!event.target.closest?.(buttons)) return;
    const isWaiting = waitUntil > 0;
    receivedBefore = received();
    waitUntil = performance.now() + maxMilliseconds;
    if (!isWaiting) update();
  };
  document.addEventListener("click", onClick, { capture: true });
})();
