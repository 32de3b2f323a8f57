/** The chats that are neither pinned nor in a folder, by day. */
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode, RefObject } from "react";
import { useFormat } from "@/settings/format";
import { ChatRow } from "./chat-row";
import { groupByDay } from "./day-groups";
import { conversationList } from "./queries";
import { SectionHeading } from "./section-heading";
import { VirtualList } from "./virtual-list";

type Props = {
  scroller: RefObject<HTMLElement | null>;
  /** What stands above it. */
  children: ReactNode;
};

const unsorted = conversationList({ pinned: false, folder: "" });

export function DayList({ scroller, children }: Props) {
  const list = useInfiniteQuery(unsorted);
  const { month } = useFormat();
  const chats = list.data?.pages.flatMap(({ data }) => data) ?? [];
  return (
    <VirtualList scroller={scroller} query={list} label="Loading chats" header={children}>
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
