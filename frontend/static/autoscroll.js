// Keeps the page at its end while an answer grows, until the reader scrolls up, and keeps the
// messages in place when earlier ones are shown and when an answer ends. Streamlit scrolls too, but
// only near the end, and mistakes scrolling while the page grows for the growing itself: what it
// sets is ignored.
(() => {
  const scrollerSelector = "[data-testid=stAppScrollToBottomContainer]";
  const messageSelector = "[class*=st-key-chat_user_], [class*=st-key-chat_answer_]";
  const endPixels = 5;
  const settleMilliseconds = 1500; // how long the page may still change after its script has run
  const settleLimitMilliseconds = 30000;
  const nativeScrollTop = Object.getOwnPropertyDescriptor(Element.prototype, "scrollTop");
  let scroller = null; // Streamlit replaces it on another page
  let conversation, turn; // as rendered by the page
  let isFollowing = false;
  let isGenerating = false;
  let settlesAt = -Infinity;
  let settleLimit = -Infinity;
  let awaitsRun = false; // after a click, on a slow machine, the script runs later
  let last = { top: 0, end: 0 };
  let view = null; // the topmost visible message, and its distance from the top of the window
  let anchor = null; // a view that is kept in place

  const end = () => scroller.scrollHeight - scroller.clientHeight;
  const scrollTo = (top) => nativeScrollTop.set.call(scroller, top);
  Object.defineProperty(Element.prototype, "scrollTop", {
    ...nativeScrollTop,
    set(value) {
      // React restores the position after it has moved the focus.
      const isRestoring = Math.abs(value - last.top) < 1;
      if (this !== scroller || isRestoring) nativeScrollTop.set.call(this, value);
    },
  });

  const currentView = () => {
    for (const message of scroller.querySelectorAll(messageSelector)) {
      const { top, bottom } = message.getBoundingClientRect();
      const key = [...message.classList].find((name) => name.startsWith("st-key-chat_"));
      if (bottom > 0) return { selector: `.${key}`, top };
    }
    return null;
  };
  const keepInPlace = () => {
    const message = scroller.querySelector(anchor.selector);
    const moved = message ? message.getBoundingClientRect().top - anchor.top : 0;
    if (Math.abs(moved) >= 1) scrollTo(scroller.scrollTop + moved);
  };
  const settle = (isClick = false) => {
    awaitsRun = isClick;
    settlesAt = performance.now() + settleMilliseconds;
    settleLimit = performance.now() + settleLimitMilliseconds;
  };
  const isSettling = () => {
    const now = performance.now();
    const { testScriptState } = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
    const isRunning = testScriptState !== "notRunning";
    if (awaitsRun && !isRunning) return now < settleLimit;
    if (isRunning && (awaitsRun || now < settlesAt)) settlesAt = Math.min(now + settleMilliseconds, settleLimit);
    awaitsRun = false;
    return now < settlesAt;
  };
  // Only the reader scrolls up without the page getting shorter.
  const noticeReader = () => {
    if (!anchor && scroller.scrollTop < last.top - 1 && end() >= last.end) isFollowing = false;
    if (end() - scroller.scrollTop <= endPixels) isFollowing = true;
  };
  const update = () => {
    if (!scroller?.isConnected) return;
    noticeReader();
    if (anchor) keepInPlace();
    else if (conversation && isFollowing && (isGenerating || isSettling())) scrollTo(scroller.scrollHeight);
    // Afterwards: while the browser renders many messages, the time to settle passes.
    if (!isSettling()) anchor = null;
    last = { top: scroller.scrollTop, end: end() };
    view = isGenerating ? currentView() : null;
  };

  const readTurn = () => {
    const rendered = document.querySelector("[data-smolchat-conversation]")?.dataset;
    if (!rendered) return;
    const isOther = rendered.smolchatConversation !== conversation;
    const isNewTurn = rendered.smolchatTurn !== turn && rendered.smolchatTurn !== "";
    if (isOther || isNewTurn) {
      isFollowing = true;
      anchor = null;
      settle();
    }
    [conversation, turn] = [rendered.smolchatConversation, rendered.smolchatTurn];
  };
  const sizes = new ResizeObserver(update);
  const observeScroller = () => {
    const current = document.querySelector(scrollerSelector);
    if (!current || current === scroller) return;
    sizes.disconnect();
    scroller = current;
    for (const element of [scroller, ...scroller.children]) sizes.observe(element);
    [conversation, last] = [undefined, { top: 0, end: 0 }];
  };
  const onChange = () => {
    observeScroller();
    if (!scroller?.isConnected) return;
    readTurn();
    const wasGenerating = isGenerating;
    isGenerating = document.querySelector("[class*=st-key-chat_stats_pending_]") !== null;
    if (wasGenerating && !isGenerating) {
      anchor = isFollowing ? null : view;
      settle();
    }
    update();
  };
  new MutationObserver(onChange).observe(document.body, { childList: true, subtree: true });
  setInterval(onChange, 250);

  const listen = (types, listener) => {
    for (const type of types) document.addEventListener(type, listener, { capture: true, passive: true });
  };
  listen(["scroll"], ({ target }) => {
    if (target !== scroller) return;
    noticeReader();
    last = { top: scroller.scrollTop, end: end() };
  });
  // Who scrolls is not kept in place.
  listen(["wheel", "touchmove", "keydown", "pointerdown"], () => (anchor = null));
  listen(["click"], ({ target }) => {
    if (!scroller || !target.closest?.(".st-key-chat_show_earlier button")) return;
    isFollowing = false;
    anchor = currentView();
    settle(true);
  });
  // A Tab into the messages pauses too: the focused element stays in view.
  let isTab = false;
  listen(["keydown", "pointerdown"], ({ key }) => (isTab = key === "Tab"));
  listen(["focusin"], ({ target }) => {
    if (isTab && scroller?.contains(target) && !target.closest("[data-testid=stBottom]")) isFollowing = false;
  });
})();
