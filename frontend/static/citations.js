// Opens a citation when its number in an answer is clicked: by its button below the answer, which may be
// in a closed list. Streamlit's texts can only have links.
(() => {
  const onClick = (event) => {
    const link = event.target.closest?.("[data-testid=stChatMessage] a[href*='#cite-']");
    if (!link) return;
    event.preventDefault();
    const name = link.hash.slice("#cite-".length);
    if (/^[\w-]+$/.test(name)) document.querySelector(`.st-key-chat_cite_${name} button`)?.click();
  };
  document.addEventListener("click", onClick, { capture: true });
})();
