/** Whether deleted chats can be restored, which the API's settings decide. */
import type { QueryClient } from "@tanstack/react-query";
import { status } from "@/monitoring/queries";

/** Return true if a deleted chat can be restored; false also if that is not known. */
export async function hasTrash(client: QueryClient): Promise<boolean> {
  try {
    const { settings } = await client.fetchQuery({
      ...status(),
      staleTime: Number.POSITIVE_INFINITY,
    });
    return Number(settings.SMOLCHAT_TRASH_DAYS) > 0;
  } catch {
    return false; // The person is asked first.
  }
}
