/** What was typed but not sent, for each chat: it survives a reload, and never moves to another. */

import { TEMPORARY } from "./temporary-id";

const PREFIX = "smolchat.draft.";
const MAX_CHARACTERS = 200_000;

export type Draft = { text: string; queue: string[] };

const EMPTY: Draft = { text: "", queue: [] };

export function readDraft(chat: string): Draft {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(PREFIX + chat) ?? "null");
    const { text, queue } = (stored ?? {}) as Partial<Draft>;
    return {
      text: typeof text === "string" ? text : "",
      queue: Array.isArray(queue) ? queue.filter((item) => typeof item === "string") : [],
    };
  } catch {
    return EMPTY;
  }
}

export function writeDraft(chat: string, draft: Draft): void {
  if (chat === TEMPORARY) return; // of it nothing is kept
  try {
    if (draft.text === "" && draft.queue.length === 0) localStorage.removeItem(PREFIX + chat);
    else if (draft.text.length <= MAX_CHARACTERS) {
      localStorage.setItem(PREFIX + chat, JSON.stringify(draft));
    }
  } catch {
    // The storage is full or forbidden: the draft lasts as long as the page.
  }
}
