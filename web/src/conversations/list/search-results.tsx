/** The chats that a search has found, in titles and messages. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import type { RefObject } from "react";
import { conversationList } from "../queries";
import { ChatRow } from "./chat-row";
import { VirtualList } from "./virtual-list";

type Props = { search: string; scroller: RefObject<HTMLElement | null> };

export function SearchResults({ search, scroller }: Props) {
  const list = useInfiniteQuery({
    ...conversationList({ search }),
    placeholderData: keepPreviousData,
  });
  const chats = list.data?.pages.flatMap(({ data }) => data) ?? [];
  return (
    <VirtualList
      scroller={scroller}
      query={list}
      label="Searching"
      header={
        <p role="status" className="px-2.5 py-1 text-muted-foreground text-sm">
          {list.isSuccess && !list.isPlaceholderData
            ? countText(chats.length, list.hasNextPage)
            : null}
        </p>
      }
    >
      {chats.map((chat) => (
        <ChatRow key={chat.id} chat={chat} search={search} />
      ))}
    </VirtualList>
  );
}

function countText(count: number, hasMore: boolean): string {
  if (count === 0) return "No chats found";
  return count === 1 ? "1 chat" : `${count}${hasMore ? "+" : ""} chats`;
}
