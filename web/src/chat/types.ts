/** What a chat consists of, as the API tells it. Numbers of a model server may be missing. */
import type { Reply } from "@/api/client";

export type Message = Reply<"Message">;
export type Conversation = Reply<"ConversationReply">;

export type StepState =
  | "running"
  | "awaiting_approval"
  | "finished"
  | "failed"
  | "denied"
  | "interrupted";

/** One call of a tool that the API runs. */
export type Step = {
  id: string;
  tool: string;
  arguments: unknown;
  strategy?: string;
  state: StepState;
  result?: string;
  error?: string;
  milliseconds?: number;
};

/** A call that the API does not run. */
export type ToolCall = { id: string; name: string; arguments: string };

/** What the model wrote at once, and the steps of its calls. An answer without tools is one round. */
export type Round = {
  text: string;
  reasoning: string;
  /** When it began to reason and how long it did, if this page saw it. */
  reasoningStart?: number;
  reasoningMs?: number;
  toolCalls: ToolCall[];
  steps: Step[];
};

export type Receipt = Partial<{
  [Name in keyof Reply<"Receipt">]: Reply<"Receipt">[Name];
}>;

export type Progress = {
  phase: string;
  position?: number;
  fraction?: number;
  part?: number;
  parts?: number;
};

/** One token with its probability and the alternatives, as OpenAI's `logprobs.content` has it. */
export type TokenLogprob = {
  token: string;
  logprob: number;
  top_logprobs?: { token: string; logprob: number }[];
};

export type Citation = {
  file_id: string;
  filename: string;
  /** Where in the answer its number stands, in code points. */
  index: number;
  start: number;
  end: number;
  quote: string;
  page?: number | null;
  heading?: string | null;
  match?: string;
  deleted?: boolean;
};

export type Passage = {
  file_id: string;
  filename: string;
  start: number;
  end: number;
  page?: number | null;
  heading?: string | null;
  text?: string | null;
};

/** What of the files an answer is given from. */
export type Retrieval = {
  strategy?: string;
  found?: boolean;
  passages?: Passage[];
  files?: number;
  read?: number;
  of?: number;
  supported?: number | null;
  sentences?: number | null;
  nearest?: Passage | null;
  task?: string | null;
  /** The question seems to need all of the text. */
  suggested_task?: { task: string; phrase?: string | null; n?: number | null } | null;
  total?: number | null;
  unread?: { filename: string; status?: string }[];
};

export type AnswerError = { message: string; code: string };
