/** What can be done with a stored chat, wherever it is listed or open. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";
import { errorMessage } from "@/api/errors";
import { showToast } from "@/components/toast";
import { changeCached, removeCached } from "./cache";
import { DeleteDialog } from "./delete-dialog";
import { openFolder } from "./folders";
import { MoveDialog } from "./move-dialog";
import { type Chat, conversationKeys, refreshLists } from "./queries";
import {
  type ChatChanges,
  deleteChat,
  duplicateChat,
  restoreChat,
  updateChat,
  writeTitle,
} from "./requests";
import { focusChat, focusMovedChat, neighbour } from "./row-focus";
import { hasTrash } from "./trash";

/** What the actions need to know of a chat. */
export type ChatRef = Pick<Chat, "id" | "title" | "pinned" | "folder">;

type View = {
  /** The chat whose title is being edited in its row. */
  renaming: string | undefined;
  setRenaming: (id: string | undefined) => void;
  /** Chats whose title the model is writing. */
  titling: ReadonlySet<string>;
};

type Router = ReturnType<typeof useRouter>;
type ShowDialog = (dialog: { kind: "move" | "delete"; chat: ChatRef } | undefined) => void;
type SetTitling = (id: string, isTitling: boolean) => void;
export type ChatActions = ReturnType<typeof makeActions>;

const ActionsContext = createContext<(View & { actions: ChatActions }) | undefined>(undefined);

export function useChatActions(): View & { actions: ChatActions } {
  const value = useContext(ActionsContext);
  if (value === undefined) throw new Error("useChatActions outside of ChatActionsProvider");
  return value;
}

export function ChatActionsProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const router = useRouter();
  const [renaming, setRenaming] = useState<string>();
  const [titling, setTitling] = useState<ReadonlySet<string>>(new Set());
  const [dialog, showDialog] = useState<Parameters<ShowDialog>[0]>();
  const actions = useMemo(() => {
    const mark: SetTitling = (id, isTitling) =>
      setTitling((before) => {
        const after = new Set(before);
        if (isTitling) after.add(id);
        else after.delete(id);
        return after;
      });
    return makeActions(client, router, showDialog, mark);
  }, [client, router]);
  const value = useMemo(
    () => ({ actions, renaming, setRenaming, titling }),
    [actions, renaming, titling],
  );
  const close = () => {
    showDialog(undefined);
    // Once the dialog does not hold the focus any more.
    setTimeout(() => {
      if (dialog !== undefined) focusChat(dialog.chat.id);
      if (document.activeElement === document.body) document.getElementById("main")?.focus();
    });
  };
  return (
    <ActionsContext value={value}>
      {children}
      {dialog?.kind === "move" ? (
        <MoveDialog
          chat={dialog.chat}
          onMove={(folder) => {
            close();
            actions.move(dialog.chat, folder);
          }}
          onClose={close}
        />
      ) : null}
      {dialog?.kind === "delete" ? (
        <DeleteDialog
          title={dialog.chat.title}
          onDelete={() => {
            showDialog(undefined);
            actions.deleteNow(dialog.chat);
          }}
          onClose={close}
        />
      ) : null}
    </ActionsContext>
  );
}

function makeActions(
  client: QueryClient,
  router: Router,
  showDialog: ShowDialog,
  setTitling: SetTitling,
) {
  const openId = () => /^\/c\/([^/]+)$/.exec(router.state.location.pathname)?.[1];
  const open = (id: string) => router.navigate({ to: "/c/$id", params: { id } });

  /** Run a change; say what failed, and show the lists as they then are. */
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      showToast({ text: errorMessage(error) });
    }
    await refreshLists(client);
  };

  const update = (chat: ChatRef, changes: ChatChanges) => {
    changeCached(client, chat.id, changes);
    return attempt(async () => {
      try {
        await updateChat(chat.id, changes);
      } catch (error) {
        const { title, pinned, folder } = chat;
        changeCached(client, chat.id, { title, pinned, folder });
        throw error;
      }
    });
  };

  const restore = (chat: ChatRef, wasOpen: boolean) =>
    attempt(async () => {
      await restoreChat(chat.id);
      await client.invalidateQueries({ queryKey: conversationKeys.one(chat.id) });
      focusChat(chat.id);
      if (wasOpen) await open(chat.id);
    });

  const deleteNow = (chat: ChatRef) => {
    const next = neighbour(chat.id);
    const wasOpen = openId() === chat.id;
    removeCached(client, chat.id);
    if (next !== undefined) focusChat(next);
    return attempt(async () => {
      const isRestorable = await deleteChat(chat.id);
      if (wasOpen) await router.navigate({ to: "/" });
      client.removeQueries({ queryKey: conversationKeys.one(chat.id) });
      const undo = { label: "Undo", run: () => void restore(chat, wasOpen) };
      showToast({ text: "Chat deleted", ...(isRestorable ? { action: undo } : {}) });
    });
  };

  return {
    rename: (chat: ChatRef, title: string) => update(chat, { title }),
    setPinned(chat: ChatRef, pinned: boolean) {
      focusMovedChat(chat.id);
      return update(chat, { pinned });
    },
    async move(chat: ChatRef, folder: string | null) {
      const next = neighbour(chat.id);
      if (folder !== null) openFolder(folder);
      focusMovedChat(chat.id);
      await update(chat, { folder });
      // It may be far down in the list of days, where it is not shown yet.
      if (next !== undefined && document.activeElement === document.body) focusChat(next);
    },
    openMove: (chat: ChatRef) => showDialog({ kind: "move", chat }),
    duplicate: (chat: ChatRef) =>
      attempt(async () => {
        const id = await duplicateChat(chat.id);
        await refreshLists(client);
        focusChat(id);
        await open(id);
      }),
    writeTitle: (chat: ChatRef) =>
      attempt(async () => {
        setTitling(chat.id, true);
        try {
          const { title, source, reason } = await writeTitle(chat.id);
          changeCached(client, chat.id, { title });
          if (source !== "model" && reason) showToast({ text: reason });
        } finally {
          setTitling(chat.id, false);
        }
      }),
    /** Delete a chat: at once if that can be undone, else after it was confirmed. */
    async remove(chat: ChatRef) {
      if (await hasTrash(client)) await deleteNow(chat);
      else showDialog({ kind: "delete", chat });
    },
    deleteNow,
  };
}
