import { expect, test } from "vitest";
import type { Chat } from "../queries";
import { groupByDay } from "./day-groups";

const NOW = new Date(2026, 9, 25, 1, 0); // the night in which Europe's summer time ends
const month = (date: Date) => `${date.getFullYear()}-${date.getMonth() + 1}`;

function chat(id: string, date: Date): Chat {
  return { id, updated_at: date.toISOString() } as Chat;
}

function shown(chats: Chat[]): string[] {
  return groupByDay(chats, NOW, month).map((item) =>
    "chat" in item ? item.chat.id : item.heading,
  );
}

test("chats stand below the day, week or month of their last use", () => {
  const chats = [
    chat("future", new Date(2026, 9, 26)),
    chat("now", NOW),
    chat("before midnight", new Date(2026, 9, 24, 23, 59)),
    chat("a week ago", new Date(2026, 9, 18, 0, 1)),
    chat("eight days ago", new Date(2026, 9, 17, 23)),
    chat("a month ago", new Date(2026, 8, 25, 12)),
    chat("earlier", new Date(2026, 8, 24, 12)),
    chat("last year", new Date(2025, 8, 24, 12)),
  ];
  expect(shown(chats)).toEqual([
    ...["Today", "future", "now", "Yesterday", "before midnight"],
    ...["Previous 7 days", "a week ago", "Previous 30 days", "eight days ago", "a month ago"],
    ...["2026-9", "earlier", "2025-9", "last year"],
  ]);
});

test("no heading stands twice, and a time that is none has one", () => {
  const chats = [chat("1", NOW), chat("2", new Date(2026, 9, 24)), chat("3", NOW)];
  expect(shown(chats)).toEqual(["Today", "1", "Yesterday", "2", "3"]);
  expect(shown([{ id: "x", updated_at: "soon" } as Chat])).toEqual(["Undated", "x"]);
});
