// Shows the question that was just asked, also to someone who had scrolled up: Streamlit by itself
// follows an answer down only from the bottom of the page. It is still drawing, so this is done
// several times.
for (const milliseconds of [0, 50, 100, 200, 400]) {
  setTimeout(() => {
    const page = document.querySelector("[data-testid=stAppScrollToBottomContainer]");
    page?.scrollTo({ top: page.scrollHeight });
  }, milliseconds);
}
