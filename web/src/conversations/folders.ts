/** The folders of chats. A folder exists as long as a chat is in it. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";
import { preferences, setPreferences } from "@/settings/preferences";
import { conversationKeys, retryFailed } from "./queries";

export type Folder = Reply<"ListedFolder">;

export const MAX_FOLDER_NAME = 100;
const MAX_OPEN = 100;
const PAGE = 200;
/** More are not of use in a list. */
const MAX_FOLDERS = 1_000;

/** All folders, by name as people read it. */
export const folderList = queryOptions({
  queryKey: conversationKeys.folders,
  refetchInterval: retryFailed,
  queryFn: async ({ signal }) => {
    const folders: Folder[] = [];
    let after: string | null = null;
    do {
      const query: { limit: number; after: string | null } = { limit: PAGE, after };
      const page = await call("get", "/conversations/folders", { query, signal });
      folders.push(...page.data);
      after = page.has_more ? (page.data.at(-1)?.name ?? null) : null;
    } while (after !== null && folders.length < MAX_FOLDERS);
    const { compare } = new Intl.Collator(undefined, { numeric: true });
    return folders.sort((one, other) => compare(one.name, other.name));
  },
});

/** Show what is in a folder, or do not. */
export function setFolderOpen(name: string, isOpen: boolean): void {
  const others = preferences().openFolders.filter((other) => other !== name);
  // Those that are gone are forgotten some day.
  setPreferences({ openFolders: (isOpen ? [...others, name] : others).slice(-MAX_OPEN) });
}
