// Has the page follow an answer down, unless its reader scrolls up. Streamlit does so too, but only
// from the bottom of the page, and a scroll during which the page has grown it takes for the growing
// alone, and pulls the reader back. This is run by every page that is drawn and by every question;
// what is set up is set up once.
window.smolchatFollow ??= (() => {
  const where = "[data-testid=stAppScrollToBottomContainer]";
  const isPage = (element) => element.matches?.(where);
  const upward = ["ArrowUp", "PageUp", "Home", " "];
  let isHeld = false;
  let scrollTop = 0;
  let shownUntil = 0;
  let gesture = -Infinity; // when the reader last did what scrolls: a page also moves by itself
  const look = ({ target }) => {
    if (!isPage(target)) return;
    const isUp = target.scrollTop < scrollTop && performance.now() - gesture < 1000;
    const rest = target.scrollHeight - target.clientHeight - target.scrollTop;
    isHeld = rest > 5 && (isHeld || isUp);
    scrollTop = target.scrollTop;
  };
  const note = (event) => {
    if (event.target.closest?.("input, textarea, [data-testid=stSidebar]")) return;
    const isScroll = event.type === "wheel" ? event.deltaY < 0 : upward.includes(event.key ?? " ");
    if (isScroll) gesture = performance.now();
  };
  // Whoever walks up by Tab sees what the keyboard is at.
  let isTab = false;
  const walk = ({ key }) => (isTab = key === "Tab"); // of a pointer's event there is none
  const hold = ({ target }) => {
    if (!isTab || !target.closest(where) || target.closest("[data-testid=stBottom]")) return;
    isHeld = true;
    shownUntil = 0;
  };
  for (const kind of ["keydown", "pointerdown"])
    document.addEventListener(kind, walk, { capture: true, passive: true });
  document.addEventListener("focusin", hold, { capture: true });
  document.addEventListener("scroll", look, { capture: true });
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"])
    document.addEventListener(kind, note, { capture: true, passive: true });
  const native = Object.getOwnPropertyDescriptor(Element.prototype, "scrollTop");
  const set = function (value) {
    if (!isPage(this)) native.set.call(this, value);
    else if (!isHeld) native.set.call(this, performance.now() < shownUntil ? this.scrollHeight : value);
  };
  Object.defineProperty(Element.prototype, "scrollTop", { ...native, set });
  // A question that was just asked is shown, also to someone who had scrolled up, however long it
  // takes to be drawn, and at once: Streamlit's own gliding to it would begin anew with each part
  // that is drawn. Once the page is at its bottom, Streamlit follows.
  return () => {
    isHeld = false;
    gesture = -Infinity;
    shownUntil = performance.now() + 3000;
    const step = () => {
      const page = document.querySelector(where);
      if (page) page.scrollTop = page.scrollHeight;
      if (!isHeld && performance.now() < shownUntil) setTimeout(step, 50);
    };
    step();
  };
})();
if (!document.currentScript.src.endsWith("?0")) window.smolchatFollow();
