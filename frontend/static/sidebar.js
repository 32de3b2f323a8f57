// Closes the sidebar after a choice where it covers the page, as on a phone.
(() => {
  const choices = ".st-key-chat_new button, [class*=st-key-chat_open_] button, [data-testid=stSidebarNavLink]";
  const onClick = ({ target }) => {
    const sidebar = document.querySelector("[data-testid=stSidebar]");
    if (!target.closest?.(choices) || !sidebar?.contains(target)) return;
    const main = document.querySelector(".stMain");
    const isCovering = sidebar.getBoundingClientRect().right > main.getBoundingClientRect().left + 1;
    const button = document.querySelector("[data-testid=stSidebarCollapseButton] button");
    // Streamlit has to handle the click first.
    if (isCovering) setTimeout(() => button?.click());
  };
  document.addEventListener("click", onClick, { capture: true, passive: true });
})();
