/** Chats as commands: those last used, or those that have the text. */
import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { call } from "@/api/client";
import { errorMessage } from "@/api/errors";
import { conversationKeys } from "@/conversations/queries";
import type { Command } from "./commands";

const PAUSE_MS = 150;
const MAX_RECENT = 5;
const MAX_FOUND = 20;

export function useChatCommands(text: string): { commands: Command[]; message: string | null } {
  const navigate = useNavigate();
  const search = useSettled(text.trim());
  const chats = useQuery({ ...chatsWith(search), placeholderData: keepPreviousData });
  const commands = (chats.data?.data ?? []).map(({ id, title, snippet }) => ({
    id: `chat ${id}`,
    group: search === "" ? "Recent chats" : "Chats",
    name: title || "New chat",
    detail: snippet === null || snippet === title ? undefined : snippet,
    run: () => void navigate({ to: "/c/$id", params: { id } }),
  }));
  if (chats.isError) return { commands: [], message: errorMessage(chats.error) };
  return { commands, message: chats.isFetching && search !== "" ? "Searching chats…" : null };
}

function chatsWith(search: string) {
  const limit = search === "" ? MAX_RECENT : MAX_FOUND;
  return queryOptions({
    queryKey: [...conversationKeys.all, "menu", search],
    queryFn: ({ signal }) => call("get", "/conversations", { query: { search, limit }, signal }),
  });
}

/** Return a value once it has not changed for a moment. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
