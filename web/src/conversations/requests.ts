/** What changes stored chats. */
import { address, call, type Reply, send } from "@/api/client";
import type { Chat } from "./queries";

export type ChatChanges = Partial<Pick<Chat, "title" | "pinned" | "folder" | "model">>;

export async function updateChat(id: string, changes: ChatChanges): Promise<void> {
  await call("patch", "/conversations/{conversation}", {
    path: { conversation: id },
    body: changes,
  });
}

/** Delete a chat; return whether it can be restored. */
export async function deleteChat(id: string): Promise<boolean> {
  const url = address("/conversations/{conversation}", { conversation: id });
  const response = await send(url, { method: "DELETE" });
  return response.headers.has("smolchat-restorable-until");
}

export async function duplicateChat(id: string): Promise<string> {
  const path = { conversation: id };
  const copy = await call("post", "/conversations/{conversation}/duplicate", { path });
  return copy.id;
}

export async function restoreChat(id: string): Promise<void> {
  await call("post", "/conversations/{conversation}/restore", { path: { conversation: id } });
}

/** Let the model write a chat's title from its first exchange. */
export function writeTitle(id: string): Promise<Reply<"WrittenTitle">> {
  const path = { conversation: id };
  return call("post", "/conversations/{conversation}/title", { path, body: {} });
}

export async function renameFolder(name: string, newName: string): Promise<void> {
  await call("patch", "/conversations/folders", { query: { name }, body: { name: newName } });
}

/** Take all chats out of a folder, which is gone then. */
export async function deleteFolder(name: string): Promise<void> {
  await call("delete", "/conversations/folders", { query: { name } });
}

/** Delete a chat that is in the trash. */
export async function deleteForGood(id: string): Promise<void> {
  await call("delete", "/conversations/{conversation}", {
    path: { conversation: id },
    query: { permanent: true },
  });
}
