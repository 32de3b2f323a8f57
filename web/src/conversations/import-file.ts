/** Sends a file with chats to the API. */
import { type Reply, send } from "@/api/client";

export type ImportResult = Reply<"ImportResult">;

/** @throws ApiError the file has no chats that can be read, or is too large. */
export async function importFile(file: Blob, signal: AbortSignal): Promise<ImportResult> {
  const response = await send("/conversations/import", {
    method: "POST",
    body: file,
    // Whatever is in the file: the API looks.
    headers: { "content-type": "application/json" },
    signal,
  });
  return await response.json();
}
