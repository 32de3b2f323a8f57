/** Which chats are being answered, by this page or another, and which were since they were open. */
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { call } from "@/api/client";
import { type Chat, conversationKeys } from "./queries";

export type ChatMark = "active" | "answered" | undefined;

type ActiveChat = Pick<Chat, "id" | "updated_at" | "active">;

/** While an answer is written, and otherwise: for those that another page has asked for. */
const BUSY_MS = 2_000;
const IDLE_MS = 15_000;
/** The page has more urgent things to ask for when it opens. */
const FIRST_MS = 3_000;
/** Chats in use are among those that are listed first: pinned, or last used. */
const MAX_CHATS = 100;

let marks: ReadonlyMap<string, ChatMark> = new Map();
const listeners = new Set<() => void>();

export function useChatMark(id: string): ChatMark {
  return useSyncExternalStore(subscribe, () => marks.get(id));
}

/** Keep the marks right as long as this is rendered: once, in the frame. */
export function useActiveChats(): void {
  const client = useQueryClient();
  const [isDue, setDue] = useState(false);
  const { data } = useQuery({ ...recentChats, enabled: isDue });
  const openId = useRouterState({
    select: ({ location }) => /^\/c\/([^/]+)$/.exec(location.pathname)?.[1],
  });
  const seen = useRef<string>(undefined);
  const shownId = useRef(openId);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), FIRST_MS);
    return () => clearTimeout(timer);
  }, []);
  // Leaving a chat shows that it goes on.
  useEffect(() => {
    if (shownId.current === openId) return;
    shownId.current = openId;
    setDue(true);
    void client.invalidateQueries({ queryKey: conversationKeys.active });
  }, [client, openId]);
  useEffect(() => {
    if (data === undefined) return;
    setMarks(nextMarks(marks, data, openId));
    const state = data.map(({ id, updated_at, active }) => `${id} ${updated_at} ${active}`).join();
    // Another page has asked, or an answer is complete: order and titles are new.
    if (seen.current !== undefined && seen.current !== state) {
      void client.invalidateQueries({ queryKey: conversationKeys.lists });
    }
    seen.current = state;
  }, [client, data, openId]);
}

/** Return the marks after what is active was looked up. The open chat is seen, so it has none. */
export function nextMarks(
  before: ReadonlyMap<string, ChatMark>,
  chats: readonly Omit<ActiveChat, "updated_at">[],
  openId: string | undefined,
): ReadonlyMap<string, ChatMark> {
  const after = new Map<string, ChatMark>();
  for (const { id, active } of chats) {
    const had = before.get(id);
    if (active) after.set(id, "active");
    else if (had !== undefined && id !== openId) after.set(id, "answered");
  }
  return after;
}

const recentChats = queryOptions({
  queryKey: conversationKeys.active,
  queryFn: async ({ signal }): Promise<ActiveChat[]> => {
    const { data } = await call("get", "/conversations", { query: { limit: MAX_CHATS }, signal });
    return data;
  },
  refetchInterval: ({ state }) => (state.data?.some(({ active }) => active) ? BUSY_MS : IDLE_MS),
});

function setMarks(next: ReadonlyMap<string, ChatMark>): void {
  marks = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
