// Tells screen readers when an answer begins and what it says once it is there: Streamlit itself
// draws without a word. Stops an answer by Esc. Keeps the keyboard where a person types: when an
// answer ends, Streamlit gives it to the prompt. It is run by every page that is drawn and does its
// work once.
if (!window.smolchatTells) {
  window.smolchatTells = true;
  const said = document.createElement("div");
  said.setAttribute("role", "status");
  said.className = "smolchat-said";
  document.body.append(said);
  let wasWriting = false;
  // Esc closes what is open; where nothing is, it stops the answer, also one that is only just being
  // asked for.
  const layers = "[role=dialog], [role=menu], [role=listbox], [data-testid=stPopoverBody]";
  let escaped = -Infinity;
  const stop = () => {
    const button = document.querySelector(".st-key-chat_stop button");
    if (!button || performance.now() - escaped > 1000) return;
    escaped = -Infinity;
    button.click();
  };
  const act = ({ type, key, isComposing, repeat }) => {
    if (isComposing || repeat) return; // Esc ends an unfinished word, or is still held down
    const isMeant = type === "keydown" && key === "Escape" && !document.querySelector(layers);
    escaped = isMeant ? performance.now() : -Infinity;
    stop();
  };
  for (const kind of ["keydown", "pointerdown"])
    document.addEventListener(kind, act, { capture: true, passive: true });
  setInterval(() => {
    stop();
    const isWriting = document.querySelector(".st-key-chat_stop") !== null;
    if (isWriting && !wasWriting) said.textContent = "The model is answering.";
    if (!isWriting && wasWriting) {
      const answers = document.querySelectorAll("[data-testid=stChatMessage] [data-testid=stMarkdown]");
      const last = answers[answers.length - 1]?.innerText ?? "";
      said.textContent = `The answer: ${last.slice(0, 2000)}`;
    }
    wasWriting = isWriting;
  }, 250);
  const native = HTMLElement.prototype.focus;
  let pressed = null;
  const note = (event) => (pressed = event.target);
  document.addEventListener("pointerdown", note, { capture: true, passive: true });
  HTMLElement.prototype.focus = function (...options) {
    const here = document.activeElement;
    const isPrompt = this.dataset.testid === "stChatInputTextArea";
    const isTyping = here !== this && here.matches("input, textarea") && here.isConnected;
    const isWanted = pressed?.closest?.("[data-testid=stChatInput]");
    if (!isPrompt || !isTyping || isWanted) native.apply(this, options);
  };
}
