/** The files and collections that a chat is answered from, by their names. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { call } from "@/api/client";
import { collectionList } from "@/files/queries";
import type { FileSelection } from "../request";

/** The API's limits of one selection. */
export const MAX_FILES = 1000;
export const MAX_COLLECTIONS = 20;
/** So many are named; each name is a request of its own. */
export const MAX_NAMED = 20;

export type Selected = { id: string; kind: "file" | "collection"; name: string };

/** The first that are selected; what was deleted is among them, so that it can be removed. */
export function useSelected({ file_ids, vector_store_ids }: FileSelection): Selected[] {
  const hasCollections = vector_store_ids.length > 0;
  const collections = useQuery({ ...collectionList, enabled: hasCollections });
  const stores = vector_store_ids.slice(0, MAX_NAMED).map((id): Selected => {
    const store = collections.data?.data.find((each) => each.id === id);
    const name = store ? store.name || "Unnamed" : collections.isPending ? "…" : "Deleted";
    return { id, kind: "collection", name };
  });
  const ids = file_ids.slice(0, MAX_NAMED - stores.length);
  const files = useQueries({
    queries: ids.map((id) => ({
      queryKey: ["files", "one", id],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        call("get", "/files/{file_id}", { path: { file_id: id }, signal }),
      staleTime: 60_000,
    })),
    combine: (results) =>
      results.map(({ data, isError }, index): Selected => {
        const name = data?.filename ?? (isError ? "Deleted" : "…");
        return { id: ids[index] ?? "", kind: "file", name };
      }),
  });
  return [...stores, ...files];
}

export function countSelected({ file_ids, vector_store_ids }: FileSelection): number {
  return file_ids.length + vector_store_ids.length;
}

export function without(files: FileSelection, id: string): FileSelection {
  return {
    ...files,
    file_ids: files.file_ids.filter((other) => other !== id),
    vector_store_ids: files.vector_store_ids.filter((other) => other !== id),
  };
}
