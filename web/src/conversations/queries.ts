/** Stored chats: what is asked of the API about them. */
import { infiniteQueryOptions, type QueryClient, queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";

export type Chat = Reply<"ListedConversation">;

export const MAX_TITLE = 200;

/** Which chats a list has; see `GET /conversations`. */
export type ListFilter = {
  search?: string;
  pinned?: boolean;
  /** A folder's name; empty for the chats in none. */
  folder?: string;
  /** Those that were deleted and can be restored. */
  deleted?: boolean;
};

export const conversationKeys = {
  all: ["conversations"] as const,
  lists: ["conversations", "list"] as const,
  list: (filter: ListFilter) => ["conversations", "list", filter] as const,
  folders: ["conversations", "folders"] as const,
  active: ["conversations", "active"] as const,
  one: (id: string) => ["conversations", "one", id] as const,
};

/** A list that could not be read is asked for again: the API may be back. */
const RETRY_MS = 5_000;

export function retryFailed({ state }: { state: { status: string } }): number | false {
  return state.status === "error" ? RETRY_MS : false;
}

/** The chats that are neither pinned nor in a folder; a search is in all of them. */
export function conversationList(filter: ListFilter) {
  return infiniteQueryOptions({
    queryKey: conversationKeys.list(filter),
    queryFn: ({ pageParam, signal }) =>
      call("get", "/conversations", { query: { ...filter, after: pageParam }, signal }),
    refetchInterval: retryFailed,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page.has_more ? (page.data.at(-1)?.id ?? null) : null),
  });
}

export function conversation(id: string) {
  return queryOptions({
    queryKey: conversationKeys.one(id),
    queryFn: ({ signal }) =>
      call("get", "/conversations/{conversation}", { path: { conversation: id }, signal }),
  });
}

/** Ask for all lists again: chats were added, changed or used. */
export async function refreshLists(client: QueryClient): Promise<void> {
  await Promise.all(
    [conversationKeys.lists, conversationKeys.folders, conversationKeys.active].map((queryKey) =>
      client.invalidateQueries({ queryKey }),
    ),
  );
}
