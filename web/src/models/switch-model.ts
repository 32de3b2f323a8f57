/** Which model answers in a chat. It is also the one that the next new chat begins with. */
import type { QueryClient } from "@tanstack/react-query";
import { readNewChatSettings, writeNewChatSettings } from "@/chat/settings";
import { readTemporary, TEMPORARY, writeTemporary } from "@/chat/temporary";
import { changeCached } from "@/conversations/cache";
import { conversationKeys } from "@/conversations/queries";
import { updateChat } from "@/conversations/requests";

/** Return the model of a chat, or of new ones; null is the API's default. */
export function modelOf(client: QueryClient, id: string | undefined): string | null {
  if (id === undefined) return readNewChatSettings().model;
  if (id === TEMPORARY) return readTemporary().model;
  return client.getQueryData<{ model: string | null }>(conversationKeys.one(id))?.model ?? null;
}

/** @throws ApiError the stored chat could not be changed. */
export async function switchModel(
  client: QueryClient,
  id: string | undefined,
  model: string,
): Promise<void> {
  writeNewChatSettings({ ...readNewChatSettings(), model });
  if (id === TEMPORARY) writeTemporary({ model });
  else if (id !== undefined) {
    changeCached(client, id, { model });
    await updateChat(id, { model });
  }
}
