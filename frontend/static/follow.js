// Lets a reader who scrolls up while an answer grows stay there. Streamlit follows the answer down;
// a scroll during which the page has grown it takes for the growing alone, and pulls the reader
// back. It is run by every page that is drawn and does its work once.
if (!window.smolchatHolds) {
  window.smolchatHolds = true;
  const isPage = (element) => element.matches?.("[data-testid=stAppScrollToBottomContainer]");
  const upward = ["ArrowUp", "PageUp", "Home", " "];
  let isHeld = false;
  let scrollTop = 0;
  let gesture = -Infinity; // when the reader last did what scrolls: a page also moves by itself
  const look = ({ target }) => {
    if (!isPage(target)) return;
    const isUp = target.scrollTop < scrollTop && performance.now() - gesture < 1000;
    const rest = target.scrollHeight - target.clientHeight - target.scrollTop;
    isHeld = rest > 5 && (isHeld || isUp);
    scrollTop = target.scrollTop;
  };
  const note = (event) => {
    const isScroll = event.type === "wheel" ? event.deltaY < 0 : upward.includes(event.key ?? " ");
    if (isScroll) gesture = performance.now();
  };
  document.addEventListener("scroll", look, { capture: true });
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"])
    document.addEventListener(kind, note, { capture: true, passive: true });
  const native = Object.getOwnPropertyDescriptor(Element.prototype, "scrollTop");
  const set = function (value) {
    if (!(isHeld && isPage(this))) native.set.call(this, value);
  };
  Object.defineProperty(Element.prototype, "scrollTop", { ...native, set });
}
