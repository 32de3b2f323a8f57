// Scrolls the page down with a growing response, unless the reader scrolls up. Streamlit does so
// too, but only from the bottom of the page, and it mistakes scrolling while the page grows for the
// growing itself, and pulls the reader back. Loaded on every page render and for every question, it
// sets itself up once.
window.smolchatAutoscroll ??= (() => {
  const scrollerSelector = "[data-testid=stAppScrollToBottomContainer]";
  const isScroller = (element) => element.matches?.(scrollerSelector);
  const upwardKeys = ["ArrowUp", "PageUp", "Home", " "];
  let isPaused = false;
  let lastScrollTop = 0;
  let pinnedUntil = 0;
  let gestureAt = -Infinity; // of the reader's last scroll gesture: a page also scrolls by itself
  const onScroll = ({ target }) => {
    if (!isScroller(target)) return;
    const isUp = target.scrollTop < lastScrollTop && performance.now() - gestureAt < 1000;
    const below = target.scrollHeight - target.clientHeight - target.scrollTop;
    isPaused = below > 5 && (isPaused || isUp);
    lastScrollTop = target.scrollTop;
  };
  const onGesture = (event) => {
    if (event.target.closest?.("input, textarea, [data-testid=stSidebar]")) return;
    const isUp = event.type === "wheel" ? event.deltaY < 0 : upwardKeys.includes(event.key ?? " ");
    if (isUp) gestureAt = performance.now();
  };
  // Moving the focus into the messages by Tab pauses too, so that the focused element stays in view.
  let isTab = false;
  const onKey = ({ key }) => (isTab = key === "Tab"); // undefined for a pointer event
  const onFocus = ({ target }) => {
    if (!isTab || !target.closest(scrollerSelector) || target.closest("[data-testid=stBottom]")) return;
    isPaused = true;
    pinnedUntil = 0;
  };
  for (const type of ["keydown", "pointerdown"])
    document.addEventListener(type, onKey, { capture: true, passive: true });
  document.addEventListener("focusin", onFocus, { capture: true });
  document.addEventListener("scroll", onScroll, { capture: true });
  for (const type of ["wheel", "touchmove", "pointerdown", "keydown"])
    document.addEventListener(type, onGesture, { capture: true, passive: true });
  const native = Object.getOwnPropertyDescriptor(Element.prototype, "scrollTop");
  const set = function (value) {
    if (!isScroller(this)) native.set.call(this, value);
    else if (!isPaused) native.set.call(this, performance.now() < pinnedUntil ? this.scrollHeight : value);
  };
  Object.defineProperty(Element.prototype, "scrollTop", { ...native, set });
  // Pins the page to its bottom for a new question, even if the reader had scrolled up and however
  // long rendering takes: Streamlit's smooth scrolling would start over with each rendered element.
  // Once at the bottom, Streamlit follows.
  return () => {
    isPaused = false;
    gestureAt = -Infinity;
    pinnedUntil = performance.now() + 3000;
    const step = () => {
      const scroller = document.querySelector(scrollerSelector);
      if (scroller) scroller.scrollTop = scroller.scrollHeight;
      if (!isPaused && performance.now() < pinnedUntil) setTimeout(step, 50);
    };
    step();
  };
})();
if (!document.currentScript.src.endsWith("?0")) window.smolchatAutoscroll();
