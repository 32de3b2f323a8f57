/** The chats that were deleted and can still be restored. */
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { errorMessage } from "@/api/errors";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { IconButton } from "@/components/icon-button";
import { showToast } from "@/components/toast";
import { useFormat } from "@/settings/format";
import { DeleteDialog } from "./delete-dialog";
import { type Chat, conversationList, refreshLists } from "./queries";
import { deleteForGood, restoreChat } from "./requests";

const deleted = conversationList({ deleted: true });

export function DeletedChats() {
  const client = useQueryClient();
  const list = useInfiniteQuery({ ...deleted, staleTime: 0 });
  const [doomed, setDoomed] = useState<Chat>();
  const chats = list.data?.pages.flatMap(({ data }) => data) ?? [];
  const attempt = async (work: Promise<void>, success: string) => {
    try {
      await work;
      showToast({ text: success });
    } catch (error) {
      showToast({ text: errorMessage(error) });
    }
    await refreshLists(client);
  };
  return (
    <div>
      <h3 className="mb-1.5 font-medium font-sans">Recently deleted</h3>
      {list.isError ? <ErrorCallout error={list.error} onRetry={() => list.refetch()} /> : null}
      {list.isSuccess && chats.length === 0 ? (
        <p className="text-muted-foreground text-sm">No deleted chats that can be restored</p>
      ) : null}
      <ul className="max-h-80 overflow-y-auto rounded-lg border empty:hidden">
        {chats.map((chat) => (
          <DeletedRow
            key={chat.id}
            chat={chat}
            onRestore={() => attempt(restoreChat(chat.id), "Chat restored")}
            onDelete={() => setDoomed(chat)}
          />
        ))}
      </ul>
      {list.hasNextPage ? (
        <Button size="sm" className="mt-2" onClick={() => list.fetchNextPage()}>
          Show more
        </Button>
      ) : null}
      {doomed ? (
        <DeleteDialog
          title={doomed.title}
          onClose={() => setDoomed(undefined)}
          onDelete={() => {
            setDoomed(undefined);
            void attempt(deleteForGood(doomed.id), "Chat deleted for good");
          }}
        />
      ) : null}
    </div>
  );
}

type RowProps = { chat: Chat; onRestore: () => void; onDelete: () => void };

function DeletedRow({ chat, onRestore, onDelete }: RowProps) {
  const format = useFormat();
  const title = chat.title || "New chat";
  return (
    <li className="flex items-center gap-2 border-b py-1 ps-4 pe-2 last:border-0">
      <div className="min-w-0 flex-1">
        <span dir="auto" className="block truncate">
          {title}
        </span>
        <span className="text-muted-foreground text-sm">
          Deleted {chat.deleted_at ? format.dateTime(chat.deleted_at) : null}
        </span>
      </div>
      <Button size="sm" aria-label={`Restore ${title}`} onClick={onRestore}>
        <Undo2 aria-hidden />
        Restore
      </Button>
      <IconButton label={`Delete ${title} for good`} onClick={onDelete}>
        <Trash2 />
      </IconButton>
    </li>
  );
}
