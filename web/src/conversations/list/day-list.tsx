/** The chats that are neither pinned nor in a folder, by day. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ReactNode, RefObject } from "react";
import { useFormat } from "@/settings/format";
import { folderList } from "../folders";
import { conversationList } from "../queries";
import { ChatRow } from "./chat-row";
import { groupByDay } from "./day-groups";
import { SectionHeading } from "./section-heading";
import { VirtualList } from "./virtual-list";

type Props = {
  scroller: RefObject<HTMLElement | null>;
  /** What stands above it. */
  children: ReactNode;
};

const unsorted = conversationList({ pinned: false, folder: "" });

/** Return whether there are chats above this list, or may be. */
function useHasOthers(): boolean {
  const pinned = useInfiniteQuery(conversationList({ pinned: true }));
  const folders = useQuery(folderList);
  const isKnown = pinned.isSuccess && folders.isSuccess;
  const count = pinned.data?.pages[0]?.data.length ?? 0;
  return !isKnown || count + folders.data.length > 0;
}

export function DayList({ scroller, children }: Props) {
  const list = useInfiniteQuery(unsorted);
  const { month } = useFormat();
  const hasOthers = useHasOthers();
  const chats = list.data?.pages.flatMap(({ data }) => data) ?? [];
  const isEmpty = list.isSuccess && chats.length === 0 && !hasOthers;
  const header = isEmpty ? (
    <p className="px-2.5 py-2 text-muted-foreground">No chats yet</p>
  ) : (
    children
  );
  return (
    <VirtualList scroller={scroller} query={list} label="Loading chats" header={header}>
      {groupByDay(chats, new Date(), month).map((item) =>
        "chat" in item ? (
          <ChatRow key={item.key} chat={item.chat} />
        ) : (
          <SectionHeading key={item.key}>{item.heading}</SectionHeading>
        ),
      )}
    </VirtualList>
  );
}
