// Announces to screen readers when a response starts and its text once it is complete: Streamlit
// itself updates the page silently. Stops a response on Esc. Keeps an Enter that ends an IME
// composition from sending the message. Keeps the focus in a field that is being typed in: Streamlit
// moves it to the prompt when a response ends.
(() => {
  const liveRegion = document.createElement("div");
  liveRegion.setAttribute("role", "status");
  liveRegion.className = "smolchat-live-region";
  document.body.append(liveRegion);
  let wasGenerating = false;
  // Esc closes an open layer; if there is none, it stops the response, even if the stop button is
  // not rendered yet.
  const layers = "[role=dialog], [role=menu], [role=listbox], [data-testid=stPopoverBody]";
  let escapedAt = -Infinity;
  const stopIfEscaped = () => {
    const button = document.querySelector(".st-key-chat_stop button");
    if (!button || performance.now() - escapedAt > 1000) return;
    escapedAt = -Infinity;
    button.click();
  };
  // Safari ends a composition before the key that ends it, and marks that key with this code alone.
  const isComposed = (event) => event.isComposing || event.keyCode === 229;
  const onInput = (event) => {
    const { type, key, repeat } = event;
    if (isComposed(event) || repeat) return; // Esc cancels an IME composition, or is held down
    const isStop = type === "keydown" && key === "Escape" && !document.querySelector(layers);
    escapedAt = isStop ? performance.now() : -Infinity;
    stopIfEscaped();
  };
  for (const type of ["keydown", "pointerdown"])
    document.addEventListener(type, onInput, { capture: true, passive: true });
  // Before Streamlit, whose fields know only isComposing.
  const onComposedEnter = (event) => {
    if (event.key === "Enter" && isComposed(event)) event.stopPropagation();
  };
  window.addEventListener("keydown", onComposedEnter, { capture: true });
  setInterval(() => {
    stopIfEscaped();
    const isGenerating = document.querySelector(".st-key-chat_stop") !== null;
    if (isGenerating && !wasGenerating) liveRegion.textContent = "Generating a response.";
    if (!isGenerating && wasGenerating) {
      const answers = document.querySelectorAll("[data-testid=stChatMessage] [data-testid=stMarkdown]");
      const last = answers[answers.length - 1]?.innerText ?? "";
      liveRegion.textContent = `Response: ${last.slice(0, 2000)}`;
    }
    wasGenerating = isGenerating;
  }, 250);
  const nativeFocus = HTMLElement.prototype.focus;
  let lastPressed = null;
  const onPointerDown = (event) => (lastPressed = event.target);
  document.addEventListener("pointerdown", onPointerDown, { capture: true, passive: true });
  HTMLElement.prototype.focus = function (...options) {
    const active = document.activeElement;
    const isPrompt = this.dataset.testid === "stChatInputTextArea";
    const isTyping = active !== this && active.matches("input, textarea") && active.isConnected;
    const isPressed = lastPressed?.closest?.("[data-testid=stChatInput]");
    if (!isPrompt || !isTyping || isPressed) nativeFocus.apply(this, options);
  };
})();
