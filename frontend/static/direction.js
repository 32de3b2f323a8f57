// Lets lists, tables and quotes run in the direction of their text, which CSS cannot tell.
(() => {
  const blocks = ["ul", "ol", "table", "blockquote"]
    .map((name) => `[data-testid=stMarkdownContainer] ${name}:not([dir])`)
    .join();
  let frame = 0; // once a frame
  const onMutation = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      for (const block of document.querySelectorAll(blocks)) block.dir = "auto";
    });
  };
  new MutationObserver(onMutation).observe(document.body, { childList: true, subtree: true });
})();
