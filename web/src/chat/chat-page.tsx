/** A chat: a new one, one that is stored, or one that is not to be. */
import { useQuery } from "@tanstack/react-query";
import { ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { conversation, conversationKeys } from "@/conversations/queries";
import { PageHeader } from "@/routes/page-header";
import { NewChat } from "./new-chat";
import { OpenChat } from "./open-chat";
import { readTemporary, TEMPORARY } from "./temporary";

export function ChatPage({ conversationId }: { conversationId: string | undefined }) {
  if (conversationId === undefined) return <NewChat />;
  if (conversationId === TEMPORARY) return <TemporaryChat />;
  return <StoredChat key={conversationId} id={conversationId} />;
}

function TemporaryChat() {
  const chat = useQuery({
    queryKey: conversationKeys.one(TEMPORARY),
    queryFn: readTemporary,
    initialData: readTemporary,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
  return <OpenChat chat={chat.data} />;
}

function StoredChat({ id }: { id: string }) {
  const chat = useQuery(conversation(id));
  if (chat.data !== undefined) return <OpenChat chat={chat.data} />;
  return (
    <>
      <PageHeader title="Chat" />
      <div className="mx-auto w-full max-w-3xl flex-1 p-6">
        {chat.isError ? (
          <ErrorCallout error={chat.error} onRetry={() => chat.refetch()} />
        ) : (
          <Spinner />
        )}
      </div>
    </>
  );
}
