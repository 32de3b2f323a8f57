/** The request for one of the answers to a question. */
import { toItems } from "./items";
import {
  type ChatSettings,
  type Content,
  chatRequest,
  type FileOptions,
  requestOptions,
} from "./request";
import { TEMPORARY } from "./temporary-id";
import { branchTo, inContext } from "./tree";
import type { Conversation, Message } from "./types";

/** What one of the answers side by side differs in. */
export type Variant = {
  label: string;
  model?: string | null;
  parameters?: Record<string, unknown>;
  system?: string;
};

/** What the next request is sent with. */
export type SendContext = {
  settings: ChatSettings;
  variants: Variant[];
  defaultsOf: (model: string | null) => Record<string, unknown>;
};

/** What is asked. */
export type Plan = {
  base: string | null;
  question?: Message | undefined;
  /** The question, if it is stored already. */
  questionId?: string | undefined;
  prefix?: string | undefined;
  started?: Message[] | undefined;
  approvals?: Record<string, unknown> | undefined;
  fileOptions?: FileOptions | undefined;
};

export function requestBody(
  chat: Conversation,
  plan: Plan,
  variant: Variant | undefined,
  { settings, defaultsOf }: SendContext,
  index: number,
): Record<string, unknown> {
  const chosen: ChatSettings = {
    ...settings,
    model: variant?.model === undefined ? settings.model : variant.model,
    parameters: { ...settings.parameters, ...variant?.parameters },
    system: variant?.system ?? settings.system,
  };
  const isStoredQuestion = plan.questionId !== undefined;
  const above = branchTo(chat.messages, plan.base);
  const branch = [...inContext(chat.messages, above, chat.sent_from), ...(plan.started ?? [])];
  const approvals = plan.approvals;
  const base = chatRequest({
    branch,
    settings: chosen,
    defaults: defaultsOf(chosen.model),
    question: plan.question && ((plan.question.parts ?? plan.question.content) as Content),
    prefix: plan.prefix,
    undecided: approvals && new Set(Object.keys(approvals)),
  });
  // A call would end the answer that is continued.
  const tools = plan.prefix === undefined ? stepTools(plan, chosen.tools) : [];
  const parent = plan.started?.at(-1)?.id ?? (isStoredQuestion ? plan.questionId : plan.base);
  const options = requestOptions({
    conversation: chat.id === TEMPORARY ? undefined : chat.id,
    parent: parent ?? null,
    tools,
    files:
      plan.prefix === undefined
        ? { ...chosen.files, ...plan.fileOptions }
        : { file_ids: [], vector_store_ids: [] },
    approvals,
  });
  return { ...base, ...otherSeed(base, index), ...options };
}

/** The tools whose steps go on must be among those of the request. */
function stepTools(plan: Plan, tools: string[]): string[] {
  const steps = toItems(plan.started ?? []).flatMap(({ messages }) =>
    messages.flatMap(({ step }) => (typeof step?.tool === "string" ? [step.tool] : [])),
  );
  return [...new Set([...tools, ...steps])];
}

/** Answers side by side need different seeds, also if one is set. */
function otherSeed(body: Record<string, unknown>, index: number): { seed?: number } {
  if (index === 0) return {};
  const { seed } = body;
  const isFixed = typeof seed === "number" && seed >= 0;
  return { seed: isFixed ? seed + index : Math.floor(Math.random() * 2 ** 31) };
}
