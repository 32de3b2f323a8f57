// Lets lists, tables and quotes run in the direction of their text, which CSS cannot tell.
(() => {
  const blocks = ["ul", "ol", "table", "blockquote"]
    .map((name) => `[data-testid=stMarkdownContainer] ${name}:not([dir])`)
    .join();
  const onChange = () => {
    for (const block of document.querySelectorAll(blocks)) block.dir = "auto";
  };
  new MutationObserver(onChange).observe(document.body, { childList: true, subtree: true });
})();
