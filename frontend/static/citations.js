// Opens a citation when its number in an answer is clicked, by its button below the answer: texts can only
// have links. In a passage that has been opened, it scrolls to what is marked.
(() => {
  const marks = "[role=dialog] .file-text mark";
  const onClick = (event) => {
    const link = event.target.closest?.("[data-testid=stChatMessage] a[href*='#cite-']");
    if (!link) return;
    event.preventDefault();
    const name = link.hash.slice("#cite-".length);
    if (/^[\w-]+$/.test(name)) document.querySelector(`.st-key-chat_cite_${name} button`)?.click();
  };
  document.addEventListener("click", onClick, { capture: true });
  let shown = null;
  const onMutation = () => {
    const mark = document.querySelector(marks);
    if (mark && mark !== shown) mark.scrollIntoView({ block: "center" });
    shown = mark;
  };
  new MutationObserver(onMutation).observe(document.body, { childList: true, subtree: true });
})();
