/** Makes the actions on chats, and the dialogs that they need, available to the whole page. */
import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";
import { ChatActions, type ChatRef } from "./actions";
import { DeleteDialog } from "./delete-dialog";
import { MoveDialog } from "./move-dialog";
import { focusChat } from "./row-focus";

type ActionsValue = {
  actions: ChatActions;
  /** The chat whose title is being edited in its row. */
  renaming: string | undefined;
  setRenaming: (id: string | undefined) => void;
  /** Chats whose title the model is writing. */
  titling: ReadonlySet<string>;
};

type OpenDialog = { kind: "move" | "delete"; chat: ChatRef };

const ActionsContext = createContext<ActionsValue | undefined>(undefined);

export function useChatActions(): ActionsValue {
  const value = useContext(ActionsContext);
  if (value === undefined) throw new Error("useChatActions outside of ChatActionsProvider");
  return value;
}

export function ChatActionsProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const router = useRouter();
  const [renaming, setRenaming] = useState<string>();
  const [titling, setTitling] = useState<ReadonlySet<string>>(new Set());
  const [dialog, setDialog] = useState<OpenDialog>();
  const actions = useMemo(
    () =>
      new ChatActions(client, {
        router,
        askFolder: (chat) => setDialog({ kind: "move", chat }),
        confirmDelete: (chat) => setDialog({ kind: "delete", chat }),
        setTitling: (id, isTitling) => setTitling((before) => changedSet(before, id, isTitling)),
      }),
    [client, router],
  );
  const value = useMemo(
    () => ({ actions, renaming, setRenaming, titling }),
    [actions, renaming, titling],
  );
  return (
    <ActionsContext value={value}>
      {children}
      {dialog ? (
        <ActionDialog {...dialog} actions={actions} onClose={() => setDialog(undefined)} />
      ) : null}
    </ActionsContext>
  );
}

type DialogProps = OpenDialog & { actions: ChatActions; onClose: () => void };

function ActionDialog({ kind, chat, actions, onClose }: DialogProps) {
  const close = () => {
    onClose();
    // Once the dialog does not hold the focus any more.
    setTimeout(() => {
      focusChat(chat.id);
      if (document.activeElement === document.body) document.getElementById("main")?.focus();
    });
  };
  return kind === "move" ? (
    <MoveDialog
      chat={chat}
      onClose={close}
      onMove={(folder) => {
        close();
        void actions.move(chat, folder);
      }}
    />
  ) : (
    <DeleteDialog
      title={chat.title}
      onClose={close}
      onDelete={() => {
        onClose();
        void actions.deleteNow(chat);
      }}
    />
  );
}

function changedSet(set: ReadonlySet<string>, id: string, isIn: boolean): ReadonlySet<string> {
  const changed = new Set(set);
  if (isIn) changed.add(id);
  else changed.delete(id);
  return changed;
}
