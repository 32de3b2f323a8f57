/** The list of stored chats. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { conversationList } from "./queries";

export function ChatList() {
  const list = useInfiniteQuery(conversationList());
  if (list.isPending) return <Spinner />;
  if (list.isError) return <ErrorCallout error={list.error} onRetry={() => list.refetch()} />;
  const chats = list.data.pages.flatMap((page) => page.data);
  if (chats.length === 0) return <p className="px-2.5 text-muted-foreground">No chats yet</p>;
  return (
    <>
      <ul>
        {chats.map((chat) => (
          <li key={chat.id}>
            <Link
              to="/c/$id"
              params={{ id: chat.id }}
              className="block truncate rounded-md px-2.5 py-1.5 touch:py-3 hover:bg-muted aria-[current=page]:bg-muted"
            >
              {chat.title || "New chat"}
            </Link>
          </li>
        ))}
      </ul>
      {list.hasNextPage ? (
        <Button
          variant="ghost"
          className="w-full"
          disabled={list.isFetchingNextPage}
          onClick={() => list.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </>
  );
}
