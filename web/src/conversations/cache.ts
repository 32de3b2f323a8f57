/** Stored chats as the page has them: changed at once, before the API has answered. */
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Reply } from "@/api/client";
import { type Chat, conversationKeys } from "./queries";

type Pages = InfiniteData<Reply<"ConversationPage">>;

/** Change a chat in every list, and where it is open. */
export function changeCached(client: QueryClient, id: string, changes: Partial<Chat>): void {
  mapChats(client, (chats) =>
    chats.map((chat) => (chat.id === id ? { ...chat, ...changes } : chat)),
  );
  client.setQueryData<Reply<"ConversationReply">>(conversationKeys.one(id), (chat) =>
    chat === undefined ? undefined : { ...chat, ...changes },
  );
}

/** Take a chat out of every list. */
export function removeCached(client: QueryClient, id: string): void {
  mapChats(client, (chats) => chats.filter((chat) => chat.id !== id));
}

function mapChats(client: QueryClient, map: (chats: Chat[]) => Chat[]): void {
  client.setQueriesData<Pages>({ queryKey: conversationKeys.lists }, (list) =>
    list === undefined
      ? undefined
      : { ...list, pages: list.pages.map((page) => ({ ...page, data: map(page.data) })) },
  );
}
