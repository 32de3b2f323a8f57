// Copies a message, as Markdown, from its copy button, which has the text as Base64 of its UTF-8.
(() => {
  const shownMilliseconds = 2000;
  const writeText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      writeFromField(text); // the clipboard is closed to pages that come over plain HTTP
    }
  };
  const writeFromField = (text) => {
    const focused = document.activeElement;
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "smolchat-live-region";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    focused?.focus({ preventScroll: true });
  };
  const decode = (text) => new TextDecoder().decode(Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0)));
  const onClick = async ({ target }) => {
    const button = target.closest?.("button.copy-message");
    if (!button) return;
    await writeText(decode(button.dataset.text));
    button.classList.add("copied");
    button.querySelector(".label").textContent = "Copied";
    setTimeout(() => {
      button.classList.remove("copied");
      button.querySelector(".label").textContent = "Copy";
    }, shownMilliseconds);
  };
  document.addEventListener("click", onClick);
})();
