/** Deletes what a person has stored, in the API and in this browser. */
import { call } from "@/api/client";

export const KINDS = ["chats", "files", "presets", "browser"] as const;
export type Kind = (typeof KINDS)[number];

const STORAGE_PREFIX = "smolchat.";

/** @throws ApiError what was deleted before stays deleted. */
export async function deleteAll(kinds: ReadonlySet<Kind>): Promise<void> {
  if (kinds.has("chats")) {
    await call("delete", "/conversations", { query: { confirm: "all", permanent: true } });
  }
  if (kinds.has("files")) await deleteFiles();
  if (kinds.has("presets")) await deletePresets();
  if (kinds.has("browser")) {
    for (const storage of [localStorage, sessionStorage]) {
      for (const name of Object.keys(storage)) {
        if (name.startsWith(STORAGE_PREFIX)) storage.removeItem(name);
      }
    }
  }
}

async function deleteFiles(): Promise<void> {
  await deleteEach(
    () => call("get", "/vector_stores"),
    (id) => call("delete", "/vector_stores/{store_id}", { path: { store_id: id } }),
  );
  await deleteEach(
    () => call("get", "/files"),
    (id) => call("delete", "/files/{file_id}", { path: { file_id: id } }),
  );
}

async function deletePresets(): Promise<void> {
  const { data } = await call("get", "/presets");
  for (const { name } of data) {
    await call("delete", "/presets/{name}", { path: { name } });
  }
}

/** Delete the first page of a list until there is none. */
async function deleteEach(
  list: () => Promise<{ data: { id: string }[] }>,
  remove: (id: string) => Promise<unknown>,
): Promise<void> {
  for (;;) {
    const { data } = await list();
    if (data.length === 0) return;
    for (const { id } of data) await remove(id);
  }
}
