/** Uploaded files, collections of them, and search in them. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { call, jsonBody, type Reply, send } from "@/api/client";

export type StoredFile = Reply<"FileObject">;
export type Collection = Reply<"VectorStore">;
export type Found = Reply<"SearchResult">;
export type Passage = Reply<"FilePassage">;

const PAGE_SIZE = 100;
const MAX_COLLECTIONS = 100;
const MAX_RESULTS = 10;
const PASSAGES = 40;
const POLL_MS = 1_000;

export const fileKeys = { files: ["files"], collections: ["collections"] } as const;

/** Pages of files, the newest first; looked up again while one of them is being read. */
export const fileList = infiniteQueryOptions({
  queryKey: fileKeys.files,
  queryFn: ({ pageParam: after, signal }) =>
    call("get", "/files", { query: { limit: PAGE_SIZE, ...(after ? { after } : {}) }, signal }),
  initialPageParam: "",
  getNextPageParam: ({ has_more, last_id }) => (has_more ? last_id : undefined),
  refetchInterval: ({ state }) =>
    state.data?.pages.some(({ data }) => data.some(isBeingRead)) ? POLL_MS : false,
});

export const collectionList = queryOptions({
  queryKey: fileKeys.collections,
  queryFn: ({ signal }) =>
    call("get", "/vector_stores", { query: { limit: MAX_COLLECTIONS }, signal }),
});

export function collectionFiles(id: string) {
  return queryOptions({
    queryKey: [...fileKeys.collections, id],
    queryFn: ({ signal }) =>
      call("get", "/vector_stores/{store_id}/files", {
        path: { store_id: id },
        query: { limit: MAX_COLLECTIONS },
        signal,
      }),
  });
}

/** The passages that fit a question best; of all files, or of a collection. */
export function searchResults(query: string, collection: string) {
  return queryOptions({
    queryKey: ["file-search", query, collection],
    queryFn: async ({ signal }): Promise<Found[]> => {
      const path = collection ? `/vector_stores/${encodeURIComponent(collection)}` : "/files";
      const body = jsonBody({ query, max_num_results: MAX_RESULTS });
      const response = await send(`${path}/search`, { method: "POST", ...body, signal });
      return (await response.json()).data;
    },
    enabled: query !== "",
    staleTime: 30_000,
  });
}

/** The text of a file as it was read, in pages of passages. */
export function fileText(id: string) {
  return infiniteQueryOptions({
    queryKey: ["file-text", id],
    queryFn: ({ pageParam: start, signal }) =>
      call("get", "/files/{file_id}/passages", {
        path: { file_id: id },
        query: { start, limit: PASSAGES },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: ({ data, characters }) => {
      const end = data.at(-1)?.end ?? characters;
      return end < characters ? end : undefined;
    },
  });
}

export function isBeingRead({ status }: Pick<StoredFile, "status">): boolean {
  return status === "uploaded" || status === "in_progress";
}

export async function deleteFile(id: string): Promise<void> {
  await call("delete", "/files/{file_id}", { path: { file_id: id } });
}

export async function createCollection(name: string, fileIds: string[]): Promise<void> {
  await call("post", "/vector_stores", { body: { name, file_ids: fileIds } });
}

export async function renameCollection(id: string, name: string): Promise<void> {
  await call("post", "/vector_stores/{store_id}", { path: { store_id: id }, body: { name } });
}

export async function deleteCollection(id: string): Promise<void> {
  await call("delete", "/vector_stores/{store_id}", { path: { store_id: id } });
}

export async function addToCollection(id: string, fileId: string): Promise<void> {
  const body = { file_id: fileId };
  await call("post", "/vector_stores/{store_id}/files", { path: { store_id: id }, body });
}

export async function removeFromCollection(id: string, fileId: string): Promise<void> {
  const path = { store_id: id, file_id: fileId };
  await call("delete", "/vector_stores/{store_id}/files/{file_id}", { path });
}

/** Upload a file; it is read afterwards. */
export async function upload(file: File, signal: AbortSignal): Promise<void> {
  const form = new FormData();
  form.append("purpose", "assistants");
  form.append("file", file);
  await send("/files", { method: "POST", body: form, signal });
}

/** Make a chat that is answered from files, and return its id. */
export async function createChat(selection: {
  file_ids?: string[];
  vector_store_ids?: string[];
}): Promise<string> {
  const file_search = { file_ids: [], vector_store_ids: [], ...selection };
  const body = { parameters: { smolchat: { file_search } } };
  return (await call("post", "/conversations", { body })).id;
}
