// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";

const KEY = "smolchat.preferences";

async function load(stored: string) {
  localStorage.setItem(KEY, stored);
  vi.resetModules();
  return await import("./preferences");
}

beforeEach(() => localStorage.clear());

test.each([
  "null",
  "[]",
  "{",
  '"text"',
  '{"theme": 3, "openFolders": {}, "isSidebarOpen": "yes", "other": 1}',
])("what is stored and is no preference is the default: %s", async (stored) => {
  const { preferences } = await load(stored);
  expect(preferences()).toMatchObject({ theme: "system", openFolders: [], isSidebarOpen: true });
  expect(preferences()).not.toHaveProperty("other");
});

test("a change is stored, applied to the page and taken over by other tabs", async () => {
  const { preferences, setPreferences } = await load('{"density": "compact"}');
  setPreferences({ theme: "dark" });
  expect(JSON.parse(localStorage.getItem(KEY) ?? "")).toMatchObject({
    theme: "dark",
    density: "compact",
  });
  expect(document.documentElement.dataset).toMatchObject({ theme: "dark", density: "compact" });
  localStorage.setItem(KEY, '{"theme": "light"}');
  dispatchEvent(new StorageEvent("storage", { key: KEY }));
  expect(preferences().theme).toBe("light");
  expect(document.documentElement.dataset.density).toBeUndefined();
});
