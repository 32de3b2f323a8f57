/** The settings of the chat that is open, and what the next request is sent with. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call } from "@/api/client";
import { conversationKeys } from "@/conversations/queries";
import { modelDefaults } from "@/models/defaults";
import { health } from "@/models/queries";
import { onSwitchModel } from "@/models/switch-model";
import type { SendContext, Variant } from "./answer-request";
import type { ChatSettings } from "./request";
import { readNewChatSettings, settingsOf, storedFields, writeNewChatSettings } from "./settings";
import { TEMPORARY } from "./temporary";
import type { Conversation } from "./types";

const SAVE_MS = 400;

export type SettingsHandle = {
  settings: ChatSettings;
  change: (changes: Partial<ChatSettings>) => void;
  /** What suits the model. */
  defaults: Record<string, number>;
  /** The model that answers, if none was chosen. */
  defaultModel: string | undefined;
};

/** Settings of a stored chat are stored with it; those of a new one in this browser. */
export function useSettings(chat: Conversation | undefined): SettingsHandle {
  const queries = useQueryClient();
  const server = useQuery(health).data;
  const id = chat?.id === TEMPORARY ? undefined : chat?.id;
  const [own, setOwn] = useState(readNewChatSettings);
  useEffect(() => onSwitchModel((model) => setOwn((before) => ({ ...before, model }))), []);
  const settings = useMemo(() => (id && chat ? settingsOf(chat) : own), [id, chat, own]);
  const saved = useDebounced(async (next: ChatSettings) => {
    if (id === undefined) return;
    const path = { conversation: id };
    await call("patch", "/conversations/{conversation}", { path, body: storedFields(next) });
  });
  const change = useCallback(
    (changes: Partial<ChatSettings>) => {
      const next = { ...settings, ...changes };
      if (id === undefined) {
        setOwn(next);
        writeNewChatSettings(next);
        return;
      }
      queries.setQueryData<Conversation>(
        conversationKeys.one(id),
        (stored) => stored && { ...stored, ...storedFields(next) },
      );
      writeNewChatSettings(next);
      saved(next);
    },
    [id, queries, saved, settings],
  );
  const serverName = server?.model_server.name;
  const model = settings.model ?? server?.model ?? null;
  const defaults = useMemo(() => modelDefaults(model, serverName), [model, serverName]);
  return { settings, change, defaults, defaultModel: server?.model };
}

export function useSendContext(settings: ChatSettings, variants: Variant[]): SendContext {
  const server = useQuery(health).data;
  return useMemo(
    () => ({
      settings,
      variants,
      defaultsOf: (model) =>
        modelDefaults(model ?? server?.model ?? null, server?.model_server.name),
    }),
    [settings, variants, server],
  );
}

/** Call the last of several calls that follow each other, also when the page is left. */
function useDebounced<T>(work: (value: T) => Promise<void>): (value: T) => void {
  const pending = useRef<{ value: T } | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(work);
  latest.current = work;
  const flush = useCallback(() => {
    clearTimeout(timer.current);
    const waiting = pending.current;
    pending.current = undefined;
    // The next message is sent with what is chosen, even if it could not be stored.
    if (waiting !== undefined) latest.current(waiting.value).catch(() => undefined);
  }, []);
  useEffect(() => flush, [flush]);
  return useCallback(
    (value: T) => {
      pending.current = { value };
      clearTimeout(timer.current);
      timer.current = setTimeout(flush, SAVE_MS);
    },
    [flush],
  );
}
