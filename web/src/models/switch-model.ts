/** Which model answers in a chat. It is also the one that the next new chat begins with. */
import type { QueryClient } from "@tanstack/react-query";
import { readNewChatSettings, writeNewChatSettings } from "@/chat/settings";
import { TEMPORARY } from "@/chat/temporary-id";
import { changeCached } from "@/conversations/cache";
import { conversationKeys } from "@/conversations/queries";
import { updateChat } from "@/conversations/requests";

const listeners = new Set<(model: string) => void>();

/** Return the model of a chat, or of new ones; null is the API's default. */
export function modelOf(client: QueryClient, id: string | undefined): string | null {
  if (!isStored(id)) return readNewChatSettings().model;
  return client.getQueryData<{ model: string | null }>(conversationKeys.one(id))?.model ?? null;
}

/** @throws ApiError the stored chat could not be changed. */
export async function switchModel(
  client: QueryClient,
  id: string | undefined,
  model: string,
): Promise<void> {
  writeNewChatSettings({ ...readNewChatSettings(), model });
  if (isStored(id)) {
    changeCached(client, id, { model });
    await updateChat(id, { model });
  } else {
    for (const listener of listeners) listener(model);
  }
}

/** Call `listener` when the model of the chat that is not stored is switched from elsewhere. */
export function onSwitchModel(listener: (model: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function isStored(id: string | undefined): id is string {
  return id !== undefined && id !== TEMPORARY;
}
