/** The actions on stored chats: shown at once, stored, and put right if that fails. */
import type { QueryClient } from "@tanstack/react-query";
import type { useRouter } from "@tanstack/react-router";
import { errorMessage } from "@/api/errors";
import { showToast } from "@/components/toast";
import { changeCached, removeCached } from "./cache";
import { setFolderOpen } from "./folders";
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

/** What the actions ask of the page. */
export type ActionsView = {
  router: ReturnType<typeof useRouter>;
  askFolder: (chat: ChatRef) => void;
  confirmDelete: (chat: ChatRef) => void;
  setTitling: (id: string, isTitling: boolean) => void;
};

export class ChatActions {
  readonly #client: QueryClient;
  readonly #view: ActionsView;

  constructor(client: QueryClient, view: ActionsView) {
    this.#client = client;
    this.#view = view;
  }

  rename(chat: ChatRef, title: string): Promise<void> {
    return this.#update(chat, { title });
  }

  setPinned(chat: ChatRef, pinned: boolean): Promise<void> {
    focusMovedChat(chat.id);
    return this.#update(chat, { pinned });
  }

  openMove(chat: ChatRef): void {
    this.#view.askFolder(chat);
  }

  async move(chat: ChatRef, folder: string | null): Promise<void> {
    const next = neighbour(chat.id);
    if (folder !== null) setFolderOpen(folder, true);
    focusMovedChat(chat.id);
    await this.#update(chat, { folder });
    // It may be far down in the list of days, where it is not shown yet.
    if (next !== undefined && document.activeElement === document.body) focusChat(next);
  }

  duplicate(chat: ChatRef): Promise<void> {
    return this.#attempt(async () => {
      const id = await duplicateChat(chat.id);
      await refreshLists(this.#client);
      focusChat(id);
      await this.#open(id);
    });
  }

  /** Let the model write the title. */
  writeTitle(chat: ChatRef): Promise<void> {
    return this.#attempt(async () => {
      this.#view.setTitling(chat.id, true);
      try {
        const { title, source, reason } = await writeTitle(chat.id);
        changeCached(this.#client, chat.id, { title });
        if (source !== "model" && reason) showToast({ text: reason });
      } finally {
        this.#view.setTitling(chat.id, false);
      }
    });
  }

  /** Delete a chat: at once if that can be undone, else after it was confirmed. */
  async remove(chat: ChatRef): Promise<void> {
    if (await hasTrash(this.#client)) await this.deleteNow(chat);
    else this.#view.confirmDelete(chat);
  }

  deleteNow(chat: ChatRef): Promise<void> {
    const next = neighbour(chat.id);
    const { router } = this.#view;
    const wasOpen = router.state.location.pathname === `/c/${chat.id}`;
    removeCached(this.#client, chat.id);
    if (next !== undefined) focusChat(next);
    return this.#attempt(async () => {
      const isRestorable = await deleteChat(chat.id);
      if (wasOpen) await router.navigate({ to: "/" });
      this.#client.removeQueries({ queryKey: conversationKeys.one(chat.id) });
      const undo = { label: "Undo", run: () => void this.#restore(chat, wasOpen) };
      showToast({ text: "Chat deleted", ...(isRestorable ? { action: undo } : {}) });
    });
  }

  #restore(chat: ChatRef, wasOpen: boolean): Promise<void> {
    return this.#attempt(async () => {
      await restoreChat(chat.id);
      await this.#client.invalidateQueries({ queryKey: conversationKeys.one(chat.id) });
      focusChat(chat.id);
      if (wasOpen) await this.#open(chat.id);
    });
  }

  #update(chat: ChatRef, changes: ChatChanges): Promise<void> {
    changeCached(this.#client, chat.id, changes);
    return this.#attempt(async () => {
      try {
        await updateChat(chat.id, changes);
      } catch (error) {
        const { title, pinned, folder } = chat;
        changeCached(this.#client, chat.id, { title, pinned, folder });
        throw error;
      }
    });
  }

  #open(id: string): Promise<void> {
    return this.#view.router.navigate({ to: "/c/$id", params: { id } });
  }

  /** Run a change; say what failed, and show the lists as they then are. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      showToast({ text: errorMessage(error) });
    }
    await refreshLists(this.#client);
  }
}
