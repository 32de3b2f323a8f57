/** A chat: its messages, and the field for the next one. */
import { useQuery } from "@tanstack/react-query";
import { ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { conversation } from "@/conversations/queries";
import { PageHeader } from "@/routes/page-header";

export function ChatPage({ conversationId }: { conversationId: string | undefined }) {
  return conversationId === undefined ? (
    <PageHeader title="New chat" />
  ) : (
    <StoredChat key={conversationId} id={conversationId} />
  );
}

function StoredChat({ id }: { id: string }) {
  const chat = useQuery(conversation(id));
  return (
    <>
      <PageHeader title={chat.data?.title || "Chat"} />
      <div className="mx-auto w-full max-w-3xl flex-1 overflow-y-auto p-6">
        {chat.isPending ? <Spinner /> : null}
        {chat.isError ? <ErrorCallout error={chat.error} onRetry={() => chat.refetch()} /> : null}
        {chat.data?.messages.map((message) => (
          <p key={message.id} className="mb-4 whitespace-pre-wrap">
            {message.content}
          </p>
        ))}
      </div>
    </>
  );
}
