/** The chats of a section: all that it has, a page at a time. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { conversationList, type ListFilter } from "../queries";
import { ChatRow } from "./chat-row";

type Props = {
  filter: ListFilter;
  label: string;
  className?: string;
};

export function ShortList({ filter, label, className }: Props) {
  const list = useInfiniteQuery(conversationList(filter));
  if (list.isPending) return <Spinner />;
  if (list.isError && list.data === undefined) {
    return <ErrorCallout error={list.error} onRetry={() => list.refetch()} />;
  }
  return (
    <>
      <ul aria-label={label} className={className}>
        {list.data.pages
          .flatMap(({ data }) => data)
          .map((chat) => (
            <li key={chat.id}>
              <ChatRow chat={chat} />
            </li>
          ))}
      </ul>
      {list.hasNextPage ? (
        <Button
          variant="ghost"
          size="sm"
          className="w-full"
          disabled={list.isFetching}
          onClick={() => list.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </>
  );
}
