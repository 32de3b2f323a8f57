/** The settings of a chat: kept with a stored chat, and in this browser for the next new one. */
import type { ChatSettings, FileSelection } from "./request";
import type { Conversation } from "./types";

const STORAGE_KEY = "smolchat.new-chat";
const NO_FILES: FileSelection = { file_ids: [], vector_store_ids: [] };

export const DEFAULT_SETTINGS: ChatSettings = {
  model: null,
  system: "You are a helpful assistant.",
  parameters: {},
  tools: [],
  files: NO_FILES,
};

type StoredFields = Pick<Conversation, "model" | "system_prompt" | "parameters">;

export function settingsOf(chat: StoredFields): ChatSettings {
  const { smolchat, ...parameters } = chat.parameters ?? {};
  const options = isObject(smolchat) ? smolchat : {};
  const files = isObject(options.file_search) ? options.file_search : {};
  return {
    model: chat.model,
    system: chat.system_prompt ?? "",
    parameters,
    tools: texts(options.tools),
    files: {
      ...files,
      file_ids: texts(files.file_ids),
      vector_store_ids: texts(files.vector_store_ids),
    },
  };
}

export function storedFields(settings: ChatSettings): StoredFields {
  const { files, tools } = settings;
  const hasFiles = files.file_ids.length + files.vector_store_ids.length > 0;
  const smolchat = {
    ...(tools.length > 0 ? { tools } : {}),
    ...(hasFiles ? { file_search: files } : {}),
  };
  const parameters = {
    ...settings.parameters,
    ...(Object.keys(smolchat).length > 0 ? { smolchat } : {}),
  };
  return {
    model: settings.model,
    system_prompt: settings.system.trim() || null,
    parameters: Object.keys(parameters).length > 0 ? parameters : null,
  };
}

/** The settings that a new chat begins with: those last chosen, but neither tools nor files. */
export function readNewChatSettings(): ChatSettings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    return isObject(stored) ? settingsOf(stored as StoredFields) : DEFAULT_SETTINGS;
  } catch {
    return DEFAULT_SETTINGS;
  }
}

export function writeNewChatSettings(settings: ChatSettings): void {
  try {
    localStorage.setItem(
      STORAGE_KEY,
      JSON.stringify(storedFields({ ...settings, tools: [], files: NO_FILES })),
    );
  } catch {
    // Without storage they last as long as the page.
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
