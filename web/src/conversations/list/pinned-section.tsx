/** The pinned chats, if there are any. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { conversationList } from "../queries";
import { SectionHeading } from "./section-heading";
import { ShortList } from "./short-list";

const FILTER = { pinned: true };
const pinned = conversationList(FILTER);

export function PinnedSection() {
  const list = useInfiniteQuery(pinned);
  // Without an answer the list of days says what is wrong.
  if (!list.data?.pages.some(({ data }) => data.length > 0)) return null;
  return (
    <>
      <SectionHeading>Pinned</SectionHeading>
      <ShortList filter={FILTER} label="Pinned" />
    </>
  );
}
