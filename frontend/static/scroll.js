// Shows the question that was just asked, also to someone who had scrolled up:
// Streamlit by itself follows an answer down only from the bottom of the page.
document
  .querySelector("[data-testid=stAppScrollToBottomContainer]")
  ?.scrollTo({ top: Number.MAX_SAFE_INTEGER });
