// From the click on a preset, or on another button that sets fields, these take no input until their
// new values have arrived: what is typed before would be lost, or added to a value that comes while
// it is typed. A hidden field counts the changes that have arrived. Another preset can be chosen
// meanwhile, but a second click on the same one, which would deselect it, does nothing.
(() => {
  const buttons = ".st-key-preset button, .st-key-parameter_reset button, .st-key-parameter_dice button";
  const fields = "[class*=st-key-parameter_fields_]";
  const presets = ".st-key-preset";
  const maxMilliseconds = 3000; // of a page that does not answer
  const received = () => document.querySelector(".st-key-parameter_hidden input")?.value;
  let waitUntil = 0;
  let receivedBefore;
  let clicked;
  const update = () => {
    const isWaiting = performance.now() < waitUntil && received() === receivedBefore;
    const blocked = clicked.closest(presets) ? fields : `${fields}, ${presets}`;
    for (const element of document.querySelectorAll(`${fields}, ${presets}`))
      element.inert = isWaiting && element.matches(blocked);
    if (isWaiting) requestAnimationFrame(update);
    else waitUntil = 0;
  };
  const onPress = (event) => {
    const button = event.target.closest?.(buttons);
    if (!button) return;
    const isWaiting = waitUntil > 0;
    if (isWaiting && button === clicked) {
      event.stopImmediatePropagation();
      event.preventDefault();
    } else if (event.type === "click") {
      clicked = button;
      receivedBefore = received();
      waitUntil = performance.now() + maxMilliseconds;
      if (!isWaiting) update();
    }
  };
  for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
    document.addEventListener(type, onPress, { capture: true });
})();
