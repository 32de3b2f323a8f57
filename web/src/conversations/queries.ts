/** Stored chats: what is asked of the API about them. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";

export const conversationKeys = {
  all: ["conversations"] as const,
  list: (search: string) => ["conversations", "list", search] as const,
  one: (id: string) => ["conversations", "one", id] as const,
};

export function conversationList(search = "") {
  return infiniteQueryOptions({
    queryKey: conversationKeys.list(search),
    queryFn: ({ pageParam, signal }) =>
      call("get", "/conversations", { query: { search, after: pageParam }, signal }),
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
