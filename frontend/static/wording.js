// Lets the messages around the pages speak of SmolChat: Streamlit's own name the library and
// commands that start something else. What the pages render is left as it is.
(() => {
  const texts = [
    [
      /^Is Streamlit still running\?.*/s,
      "SmolChat does not answer. If it was stopped, start it again: this page reconnects by itself.",
    ],
    [
      /^Streamlit server is not responding\..*/s,
      "SmolChat does not answer. If you are connected to its computer, it was stopped there.",
    ],
    [/\bStreamlit server\b/g, "SmolChat"],
    [/\bStreamlit’s\b|\bStreamlit's\b|\bStreamlit\b/g, "SmolChat"],
  ];
  const attributes = ["aria-label", "title", "alt", "placeholder"];
  const reword = (text) => texts.reduce((reworded, [from, to]) => reworded.replace(from, to), text);
  const rewordElement = (element) => {
    for (const name of attributes) {
      const value = element.getAttribute(name);
      if (value?.includes("Streamlit")) element.setAttribute(name, reword(value));
    }
  };
  // What the pages render is in vertical blocks, also in dialogs; the choices of a list are its own.
  const pageSelector = "[data-testid=stVerticalBlock], [role=listbox]";
  const nodeTypes = NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT;
  const acceptNode = (node) => (node.matches?.(pageSelector) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const rewordTree = (root) => {
    const element = root.nodeType === Node.ELEMENT_NODE ? root : root.parentElement;
    if (!element || element.closest(pageSelector)) return;
    const nodes = document.createTreeWalker(root, nodeTypes, acceptNode);
    for (let node = root; node; node = nodes.nextNode()) {
      if (node.nodeType === Node.ELEMENT_NODE) rewordElement(node);
      else if (node.data.includes("Streamlit")) node.data = reword(node.data);
    }
  };
  const onChange = (records) => {
    for (const { type, target, addedNodes } of records)
      for (const root of type === "childList" ? addedNodes : [target]) rewordTree(root);
  };
  const observed = { childList: true, subtree: true, characterData: true, attributeFilter: attributes };
  new MutationObserver(onChange).observe(document.body, observed);
})();
