import { beforeEach, expect, it, vi } from "vitest";
import { readDraft, writeDraft } from "./drafts";
import { TEMPORARY } from "./temporary-id";

const stored = new Map<string, string>();
let isFull = false;
vi.stubGlobal("localStorage", {
  getItem: (key: string) => stored.get(key) ?? null,
  removeItem: (key: string) => stored.delete(key),
  setItem: (key: string, value: string) => {
    if (isFull) throw new DOMException("full", "QuotaExceededError");
    stored.set(key, value);
  },
});
beforeEach(() => {
  stored.clear();
  isFull = false;
});

const EMPTY = { text: "", queue: [] };

it("keeps the draft of each chat, and nothing once it is sent", () => {
  writeDraft("a", { text: "Hi", queue: ["next"] });
  writeDraft("b", { text: "", queue: [] });
  expect(readDraft("a")).toEqual({ text: "Hi", queue: ["next"] });
  expect(readDraft("b")).toEqual(EMPTY);
  writeDraft("a", EMPTY);
  expect(stored.size).toBe(0);
});

it("keeps nothing of a temporary chat", () => {
  writeDraft(TEMPORARY, { text: "secret", queue: [] });
  expect(stored.size).toBe(0);
});

it("goes on where the storage is full, or has something else", () => {
  isFull = true;
  writeDraft("a", { text: "Hi", queue: [] });
  for (const value of ["{", "null", "7", '{"text": 1, "queue": [1, "x"]}']) {
    stored.set("smolchat.draft.a", value);
    expect(readDraft("a").text).toBe("");
  }
  expect(readDraft("a").queue).toEqual(["x"]);
});
