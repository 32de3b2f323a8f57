/** What a person prefers in this browser. `theme.js` reads the same before the page is painted. */
import { useSyncExternalStore } from "react";

const STORAGE_KEY = "smolchat.preferences";

export type Preferences = {
  theme: "system" | "light" | "dark";
  density: "comfortable" | "compact";
  /** What sends a message: Enter, or Ctrl+Enter (Cmd on a Mac). */
  sendKey: "enter" | "mod-enter";
  /** A language tag for dates and numbers; empty: the browser's. */
  locale: string;
  isSidebarOpen: boolean;
  isPanelOpen: boolean;
  /** The folders of chats that are open in the list. */
  openFolders: readonly string[];
};

const DEFAULTS: Preferences = {
  theme: "system",
  density: "comfortable",
  sendKey: "enter",
  locale: "",
  isSidebarOpen: true,
  isPanelOpen: false,
  openFolders: [],
};

let current = read();
const listeners = new Set<() => void>();

// Another tab has changed them.
addEventListener("storage", (event) => {
  if (event.key === STORAGE_KEY) update(read());
});

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, () => current);
}

export function preferences(): Preferences {
  return current;
}

export function setPreferences(changes: Partial<Preferences>): void {
  update({ ...current, ...changes });
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(current));
  } catch {
    // Without storage they last as long as the page.
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function update(next: Preferences): void {
  current = next;
  const root = document.documentElement.dataset;
  if (next.theme === "system") delete root.theme;
  else root.theme = next.theme;
  if (next.density === "compact") root.density = "compact";
  else delete root.density;
  for (const listener of listeners) listener();
}

function read(): Preferences {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    return merge(stored);
  } catch {
    return DEFAULTS;
  }
}

/** Keep of what is stored only what has the type of its default. */
function merge(stored: unknown): Preferences {
  const known = Object.entries(DEFAULTS).map(([name, value]) => {
    const other = (stored as Record<string, unknown> | null)?.[name];
    const isSame = typeof other === typeof value && Array.isArray(other) === Array.isArray(value);
    return [name, isSame ? other : value];
  });
  return Object.fromEntries(known);
}
