/** An answer that is being written: what each event of its stream makes of it. */
import { errorDetail } from "@/api/errors";
import type {
  AnswerError,
  Citation,
  Progress,
  Receipt,
  Retrieval,
  Round,
  Step,
  TokenLogprob,
  ToolCall,
} from "../types";

/** `waiting` until something was written; the others are how it ended, as the API stores it. */
export type LiveState = "waiting" | "writing" | "finished" | "stopped" | "failed" | "interrupted";

export type LiveAnswer = {
  state: LiveState;
  /** The text of an earlier answer that this one continues. */
  prefix: string;
  /** The last one is being written. */
  rounds: Round[];
  progress: Progress | undefined;
  receipt: Receipt | undefined;
  retrieval: Retrieval | undefined;
  citations: Citation[];
  logprobs: TokenLogprob[];
  finishReason: string | undefined;
  model: string | undefined;
  /** The ids under which the question and the answer are stored. */
  stored: { question: string | undefined; answer: string } | undefined;
  error: AnswerError | undefined;
  startedAt: number;
  firstTokenAt: number | undefined;
  /** Chunks with text: llama.cpp sends one for each token. */
  chunks: number;
};

export function newAnswer(now: number, prefix = "", rounds: Round[] = []): LiveAnswer {
  return {
    state: "waiting",
    prefix,
    rounds: [...rounds, { text: prefix, reasoning: "", toolCalls: [], steps: [] }],
    progress: undefined,
    receipt: undefined,
    retrieval: undefined,
    citations: [],
    logprobs: [],
    finishReason: undefined,
    model: undefined,
    stored: undefined,
    error: undefined,
    startedAt: now,
    firstTokenAt: undefined,
    chunks: 0,
  };
}

export function isOver({ state }: LiveAnswer): boolean {
  return state !== "waiting" && state !== "writing";
}

type Fields = Record<string, unknown>;

/** Return the answer after one event of its stream, `[DONE]` among them. */
export function addEvent(answer: LiveAnswer, data: string, now: number): LiveAnswer {
  if (isOver(answer)) return answer;
  if (data === "[DONE]") return endStream(answer);
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    return failed(answer, { message: "The answer could not be read.", code: "invalid_stream" });
  }
  return addChunk(answer, chunk, now);
}

export function addChunk(answer: LiveAnswer, chunk: unknown, now: number): LiveAnswer {
  const error = errorDetail(chunk);
  if (error !== undefined) {
    return failed(answer, {
      message: error.message || "The model server reported an error.",
      code: typeof error.code === "string" ? error.code : "unknown",
    });
  }
  const fields = asObject(chunk);
  let next = { ...answer, model: asText(fields.model) ?? answer.model };
  for (const choice of asList(fields.choices).slice(0, 1)) next = addChoice(next, choice, now);
  return addExtensions(next, asObject(fields.smolchat));
}

/** End an answer whose stream has ended without saying how. */
export function endStream(answer: LiveAnswer): LiveAnswer {
  if (isOver(answer)) return answer;
  const isAwaiting = answer.rounds.at(-1)?.steps.some((step) => step.state === "awaiting_approval");
  if (answer.finishReason !== undefined || isAwaiting) return { ...answer, state: "finished" };
  return failed(answer, {
    message: "The answer ended early: the connection was lost.",
    code: "incomplete_stream",
  });
}

export function failed(answer: LiveAnswer, error: AnswerError): LiveAnswer {
  if (error.code === "answer_stopped") return { ...answer, state: "stopped" };
  return { ...answer, state: "failed", error };
}

/** Tokens a second of what is being written, or undefined if there is too little to tell. */
export function liveSpeed(answer: LiveAnswer, now: number): number | undefined {
  if (answer.firstTokenAt === undefined || answer.chunks < 5) return undefined;
  const seconds = (now - answer.firstTokenAt) / 1000;
  return seconds > 0.3 ? (answer.chunks - 1) / seconds : undefined;
}

function addChoice(answer: LiveAnswer, value: unknown, now: number): LiveAnswer {
  const choice = asObject(value);
  const delta = asObject(choice.delta);
  const text = contentText(delta.content);
  const reasoning = asText(delta.reasoning_content) ?? asText(delta.reasoning) ?? "";
  const calls = asList(delta.tool_calls).map(asObject);
  const logprobs = asList(asObject(choice.logprobs).content).filter(isLogprob);
  const annotations = Array.isArray(delta.annotations) ? (delta.annotations as Citation[]) : null;
  const isText = text !== "" || reasoning !== "";
  const hasBegun = isText || calls.length > 0;
  const next: LiveAnswer = {
    ...answer,
    state: hasBegun ? "writing" : answer.state,
    rounds: hasBegun
      ? changeRound(answer.rounds, isText, (round) => {
          return {
            ...reasoningTime(round, { text, reasoning }, now),
            text: round.text + text,
            reasoning: round.reasoning + reasoning,
            toolCalls: calls.reduce(addCall, round.toolCalls),
          };
        })
      : answer.rounds,
    citations: annotations ?? answer.citations,
    finishReason: asText(choice.finish_reason) ?? answer.finishReason,
    firstTokenAt: answer.firstTokenAt ?? (isText ? now : undefined),
    chunks: answer.chunks + (isText ? 1 : 0),
  };
  // The list grows in place: to copy it for each token would take time that grows with the square.
  if (logprobs.length > 0) next.logprobs.push(...logprobs);
  return next;
}

/** Note when reasoning begins, and how long it took when text follows. */
function reasoningTime(
  round: Round,
  added: { text: string; reasoning: string },
  now: number,
): Round {
  const reasoningStart = round.reasoningStart ?? (added.reasoning === "" ? undefined : now);
  if (reasoningStart === undefined) return round;
  const hasEnded = added.text.trim() !== "" && round.reasoningMs === undefined;
  return { ...round, reasoningStart, ...(hasEnded ? { reasoningMs: now - reasoningStart } : {}) };
}

/** Change the round that is being written; text after steps begins the next one. */
function changeRound(rounds: Round[], isText: boolean, change: (round: Round) => Round): Round[] {
  const last = rounds.at(-1);
  if (last === undefined || (isText && last.steps.length > 0)) {
    return [...rounds, change({ text: "", reasoning: "", toolCalls: [], steps: [] })];
  }
  return [...rounds.slice(0, -1), change(last)];
}

function addCall(calls: ToolCall[], part: Fields): ToolCall[] {
  const index = typeof part.index === "number" ? part.index : calls.length;
  const described = asObject(part.function);
  const before = calls[index];
  const call = {
    id: asText(part.id) ?? before?.id ?? `call_${index}`,
    name: (before?.name ?? "") + (asText(described.name) ?? ""),
    arguments: (before?.arguments ?? "") + (asText(described.arguments) ?? ""),
  };
  return before === undefined ? [...calls, call] : calls.with(index, call);
}

function addExtensions(answer: LiveAnswer, fields: Fields): LiveAnswer {
  if (Object.keys(fields).length === 0) return answer;
  const next = { ...answer };
  const reasoning = asText(asObject(fields.reasoning_so_far).text);
  if (reasoning !== undefined) next.rounds = moveToReasoning(next, reasoning);
  if (fields.step) next.rounds = addStep(next.rounds, fields.step as Step);
  if (fields.steps) {
    for (const step of asList(fields.steps)) next.rounds = addStep(next.rounds, step as Step);
  }
  if (fields.step) next.state = "writing";
  if (fields.progress) next.progress = fields.progress as Progress;
  if (fields.receipt) next.receipt = fields.receipt as Receipt;
  if (fields.retrieval) next.retrieval = { ...next.retrieval, ...asObject(fields.retrieval) };
  const stored = asObject(fields.conversation);
  if (typeof stored.answer_message === "string") {
    next.stored = { question: asText(stored.user_message), answer: stored.answer_message };
  }
  return endedAs(next, fields);
}

/** An event of an answer that is followed says how it ended. */
function endedAs(answer: LiveAnswer, fields: Fields): LiveAnswer {
  const state = asText(fields.state);
  if (state === "failed") {
    const error = asObject(fields.error);
    return failed(answer, {
      message: asText(error.message) ?? "The answer failed.",
      code: asText(error.code) ?? "unknown",
    });
  }
  if (state === "finished" || state === "stopped" || state === "interrupted") {
    return { ...answer, state };
  }
  return answer;
}

/** A later tag has shown that all text so far was reasoning. */
function moveToReasoning(answer: LiveAnswer, reasoning: string): Round[] {
  const text = answer.rounds.length === 1 ? answer.prefix : "";
  return changeRound(answer.rounds, false, (round) => ({
    ...round,
    text,
    reasoning: round.reasoning + reasoning,
  }));
}

/** Add a step, or change the one of the same call. */
function addStep(rounds: Round[], step: Step): Round[] {
  if (typeof step?.id !== "string" || typeof step.state !== "string") return rounds;
  const known = rounds.findIndex((round) => round.steps.some((other) => other.id === step.id));
  return rounds.map((round, index) => {
    if (index === known) {
      return {
        ...round,
        steps: round.steps.map((other) => (other.id === step.id ? step : other)),
      };
    }
    const isLast = known < 0 && index === rounds.length - 1;
    return isLast ? { ...round, steps: [...round.steps, step] } : round;
  });
}

/** Content is a text, or parts of which those with text count. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return asList(content)
    .map((part) => asText(asObject(part).text) ?? "")
    .join("");
}

function isLogprob(value: unknown): value is TokenLogprob {
  const { token, logprob } = asObject(value);
  return typeof token === "string" && typeof logprob === "number";
}

function asObject(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
