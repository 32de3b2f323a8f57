// Runs before the page is painted, so that it is never shown in the other theme.
try {
  const { theme, density } = JSON.parse(localStorage.getItem("smolchat.preferences") ?? "{}");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (density === "compact") document.documentElement.dataset.density = density;
} catch {
  // No storage, or not ours: the system's theme.
}
