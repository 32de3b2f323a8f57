/** Chats by the day of their last use: today, yesterday, the last week, the last month, months. */
import type { Chat } from "../queries";

/** A heading or a chat, as they stand one below the other. */
export type DayItem = { key: string; heading: string } | { key: string; chat: Chat };

const DAY_MS = 86_400_000;

/**
 * Return the chats with a heading before the first of each group.
 *
 * @param chats most recently used first
 * @param formatMonth names a month that is longer ago
 */
export function groupByDay(
  chats: readonly Chat[],
  now: Date,
  formatMonth: (date: Date) => string,
): DayItem[] {
  const items: DayItem[] = [];
  let last: string | undefined;
  for (const chat of chats) {
    const heading = groupOf(new Date(chat.updated_at), now, formatMonth);
    // Times of imports may be out of order, and two headings must not be the same.
    if (heading !== last && !items.some((item) => item.key === heading)) {
      items.push({ key: heading, heading });
    }
    last = heading;
    items.push({ key: chat.id, chat });
  }
  return items;
}

function groupOf(date: Date, now: Date, formatMonth: (date: Date) => string): string {
  const days = daysBetween(date, now);
  if (Number.isNaN(days)) return "Undated";
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days <= 7) return "Previous 7 days";
  if (days <= 30) return "Previous 30 days";
  return formatMonth(date);
}

/** Return how many midnights lie between two times, in the browser's time zone. */
function daysBetween(date: Date, now: Date): number {
  return Math.round((midnight(now) - midnight(date)) / DAY_MS);
}

function midnight(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
