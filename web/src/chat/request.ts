/** The requests for answers: the messages that the model reads, the parameters, what is stored. */
import { type Item, storedRounds, toItems } from "./items";
import type { Message, Step } from "./types";

/** What a chat is sent with. What is not set is left to the API. */
export type ChatSettings = {
  model: string | null;
  system: string;
  /** Fields of the request that a person chose; stored with the chat. */
  parameters: Record<string, unknown>;
  /** Tools of the API that the model may use. */
  tools: string[];
  /** Files that answers are given from. */
  files: FileSelection;
};

export type FileSelection = { file_ids: string[]; vector_store_ids: string[]; mode?: string };

/** What one question asks of the files in another way than the others. */
export type FileOptions = Partial<FileSelection> & { task?: string; phrase?: string; n?: number };

/** A part of a message: text, or an image as a data URL or the address of a stored one. */
export type Part =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string }; smolchat?: { name: string } };

export type Content = string | Part[];

export function contentText(content: Content): string {
  if (typeof content === "string") return content;
  return content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}

type RequestMessage = Record<string, unknown> & { role: string };

/** What the model reads in place of a result. */
const NO_RESULTS: Partial<Record<Step["state"], string>> = {
  awaiting_approval: "The user did not allow this call.",
  denied: "The user did not allow this call.",
  interrupted: "The call was interrupted. Its result is unknown.",
  running: "The call was interrupted. Its result is unknown.",
};

export type RequestOptions = {
  branch: Message[];
  settings: ChatSettings;
  /** What suits the model; chosen parameters go over it. */
  defaults: Record<string, unknown>;
  question?: Content | undefined;
  /** Text that the model continues. */
  prefix?: string | undefined;
  /** Calls that are sent without a result, so that the API runs them. */
  undecided?: ReadonlySet<string> | undefined;
};

export function chatRequest(options: RequestOptions): Record<string, unknown> {
  const { branch, settings, defaults, question, prefix, undecided } = options;
  const messages: RequestMessage[] = [];
  if (settings.system.trim() !== "") messages.push({ role: "system", content: settings.system });
  for (const item of toItems(branch)) messages.push(...itemMessages(item, undecided));
  if (question !== undefined) messages.push({ role: "user", content: question });
  if (prefix) messages.push({ role: "assistant", content: prefix });
  const { smolchat: _, ...parameters } = settings.parameters;
  return {
    messages,
    stream: true,
    ...(settings.model === null ? {} : { model: settings.model }),
    ...defaults,
    ...parameters,
  };
}

export type StorageOptions = {
  /** Undefined: the chat is not stored. */
  conversation: string | undefined;
  parent: string | null;
  tools: string[];
  files: FileSelection & FileOptions;
  approvals?: Record<string, unknown> | undefined;
};

/** Return the options that store the turn and report progress, stats and steps. */
export function requestOptions(options: StorageOptions): { smolchat: Record<string, unknown> } {
  const { conversation, parent, tools, files, approvals } = options;
  const hasFiles = files.file_ids.length + files.vector_store_ids.length > 0;
  // With tools the model searches the files itself; otherwise the API does as it was told.
  const isTold = hasFiles && ((files.mode ?? "auto") !== "auto" || files.task !== undefined);
  const hasTools = tools.length > 0 && !isTold;
  return {
    smolchat: {
      receipt: true,
      progress: true,
      separate_reasoning: true,
      ...(conversation === undefined ? {} : { conversation, parent, detach: true }),
      ...(hasTools ? { tools } : {}),
      ...(hasFiles ? { file_search: files } : {}),
      ...(approvals === undefined ? {} : { approvals }),
    },
  };
}

/** Return an item as a request has it: an answer with its calls and their results. */
function itemMessages(item: Item, undecided?: ReadonlySet<string>): RequestMessage[] {
  const [first] = item.messages;
  if (first === undefined) return [];
  if (item.role !== "assistant") return first.role === "tool" ? [] : contentMessages(first);
  const answers = item.messages.filter((message) => message.role !== "tool");
  return storedRounds(item).flatMap((round, index) => {
    const answer = answers[index];
    const ids = new Set(round.toolCalls.map((call) => call.id));
    const steps = round.steps.filter((step) => ids.has(step.id));
    const content = answer?.parts ?? round.text;
    const text = { role: "assistant", content };
    const own = steps.length > 0 ? [{ ...text, tool_calls: steps.map(callOf) }] : [text];
    const isEmpty = steps.length === 0 && content.length === 0;
    const results = steps.filter((step) => !undecided?.has(step.id)).map(resultOf);
    return isEmpty ? [] : [...own, ...results];
  });
}

/** Models do not accept empty messages. */
function contentMessages(message: Message): RequestMessage[] {
  const content = message.parts ?? message.content;
  return content.length > 0 ? [{ role: message.role, content }] : [];
}

function callOf(step: Step): Record<string, unknown> {
  const text =
    typeof step.arguments === "string" ? step.arguments : JSON.stringify(step.arguments ?? {});
  return { id: step.id, type: "function", function: { name: step.tool, arguments: text } };
}

function resultOf(step: Step): RequestMessage {
  const content = step.result || step.error || NO_RESULTS[step.state] || "";
  return { role: "tool", tool_call_id: step.id, content };
}
