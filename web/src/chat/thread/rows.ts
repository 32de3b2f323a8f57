/** The rows of a thread: stored messages, and the answers that are being written. */

import type { LiveAnswer, LiveState } from "../answer/live-answer";
import { splitThinking } from "../answer/thinking";
import {
  answerOf,
  firstOf,
  type Item,
  lastOf,
  storedRounds,
  toItems,
  versionItems,
} from "../items";
import type { Snapshot, Turn } from "../session";
import { branchTo, versions } from "../tree";
import type {
  AnswerError,
  Citation,
  Conversation,
  Message,
  Progress,
  Receipt,
  Retrieval,
  Round,
  TokenLogprob,
} from "../types";

/** An answer as it is shown, stored or not. */
export type AnswerModel = {
  key: string;
  /** Undefined until it is stored. */
  item: Item | undefined;
  state: LiveState;
  rounds: Round[];
  model: string | undefined;
  label: string;
  receipt: Receipt | undefined;
  progress: Progress | undefined;
  retrieval: Retrieval | undefined;
  citations: Citation[];
  logprobs: TokenLogprob[];
  error: AnswerError | undefined;
  parameters: Record<string, unknown> | undefined;
  live: LiveAnswer | undefined;
};

export type QuestionRow = {
  kind: "question";
  key: string;
  message: Message;
  versions: Message[];
  isStored: boolean;
};

export type AnswersRow = {
  kind: "answers";
  key: string;
  questionId: string | undefined;
  /** Several are shown side by side. */
  answers: AnswerModel[];
  /** All stored versions of the answer that is shown, as items. */
  versions: Item[];
  /** The version that the conversation goes on with. */
  current: string | undefined;
};

export type DividerRow = { kind: "divider"; key: string };

export type Row = QuestionRow | AnswersRow | DividerRow;

export type RowOptions = {
  keys: ReadonlyMap<string, string>;
  reasoningTimes: ReadonlyMap<string, (number | undefined)[]>;
  /** Questions whose answers are shown side by side. */
  compared: ReadonlySet<string>;
  followed: Snapshot["followed"];
};

/** Return the rows of what is stored, down to the message `leaf`. */
export function storedRows(chat: Conversation, leaf: string | null, options: RowOptions): Row[] {
  const { messages, sent_from } = chat;
  const items = toItems(branchTo(messages, leaf));
  const first = messages.find(({ id }) => id === sent_from);
  return items.flatMap((item, index): Row[] => {
    const isFirst = first !== undefined && item.messages[0]?.parent === first.parent && index > 0;
    const row = storedRow(item, messages, options);
    return isFirst ? [{ kind: "divider", key: "divider" }, row] : [row];
  });
}

function storedRow(item: Item, messages: Message[], options: RowOptions): Row {
  const message = firstOf(item);
  const siblings = versions(messages, message);
  const keyOf = (id: string) => options.keys.get(id) ?? id;
  const key = keyOf(item.id);
  if (item.role !== "assistant") {
    return { kind: "question", key, message, versions: siblings, isStored: true };
  }
  const all = siblings.length > 1 ? versionItems(messages, siblings) : [item];
  const isCompared = message.parent !== null && options.compared.has(message.parent);
  const shown = isCompared ? all : [item];
  return {
    kind: "answers",
    key,
    questionId: message.parent ?? undefined,
    answers: shown.map((each) => answerModel(each, keyOf(each.id), options)),
    versions: all,
    current: item.id,
  };
}

/** Return the rows of what is being written. */
export function turnRows({ question, entries, started }: Turn): Row[] {
  const before =
    started.length > 0 ? storedRounds({ id: "", role: "assistant", messages: started }) : [];
  const answers: AnswersRow = {
    kind: "answers",
    key: entries[0]?.key ?? "answers",
    questionId: undefined,
    answers: entries.map(({ key, label, answer }) => liveModel(key, label, answer, before)),
    versions: [],
    current: undefined,
  };
  return question === undefined ? [answers] : [unstoredQuestion(question), answers];
}

const unstored = new WeakMap<Message, QuestionRow>();

/** Return the row of a question: the same while its answers grow. */
function unstoredQuestion(message: Message): QuestionRow {
  const known = unstored.get(message);
  if (known !== undefined) return known;
  const row: QuestionRow = {
    kind: "question",
    key: message.id,
    message,
    versions: [message],
    isStored: false,
  };
  unstored.set(message, row);
  return row;
}

function liveModel(key: string, label: string, live: LiveAnswer, before: Round[]): AnswerModel {
  return {
    key,
    item: undefined,
    state: live.state,
    rounds: mergeSteps(before, live.rounds),
    model: live.model,
    label,
    receipt: live.receipt,
    progress: live.progress,
    retrieval: live.retrieval,
    citations: live.citations,
    logprobs: live.logprobs,
    error: live.error,
    parameters: undefined,
    live,
  };
}

/** Steps that were begun before and end now change in their place. */
function mergeSteps(before: Round[], rounds: Round[]): Round[] {
  if (before.length === 0) return rounds;
  const changed = new Map(rounds.flatMap(({ steps }) => steps.map((step) => [step.id, step])));
  const known = new Set<string>();
  const earlier = before.map((round) => ({
    ...round,
    steps: round.steps.map((step) => {
      known.add(step.id);
      return changed.get(step.id) ?? step;
    }),
  }));
  const later = rounds.map((round) => ({
    ...round,
    steps: round.steps.filter(({ id }) => !known.has(id)),
  }));
  return [...earlier, ...later];
}

const models = new WeakMap<Message, { messages: Message[]; key: string; model: AnswerModel }>();

/** Return a stored answer as it is shown: the same object as long as it does not change. */
function answerModel(item: Item, key: string, options: RowOptions): AnswerModel {
  const followed = options.followed.get(item.id);
  if (followed !== undefined) return { ...liveModel(key, "", followed, []), item };
  const last = lastOf(item);
  const known = models.get(last);
  if (known?.key === key && isSame(known.messages, item.messages)) return known.model;
  const answer = answerOf(item);
  const model: AnswerModel = {
    key,
    item,
    state: answer.state === null ? "finished" : answer.state,
    rounds: withTimes(storedRounds(item).map(withThinking), options.reasoningTimes.get(item.id)),
    model: answer.model ?? undefined,
    label: answer.model ?? "",
    receipt: (answer.receipt ?? undefined) as Receipt | undefined,
    progress: undefined,
    retrieval: (answer.retrieval ?? undefined) as Retrieval | undefined,
    citations: (answer.annotations ?? []) as Citation[],
    logprobs: (answer.logprobs ?? []) as TokenLogprob[],
    error: (answer.error ?? undefined) as AnswerError | undefined,
    parameters: answer.parameters ?? undefined,
    live: undefined,
  };
  models.set(last, { messages: item.messages, key, model });
  return model;
}

function withTimes(rounds: Round[], times: (number | undefined)[] = []): Round[] {
  return rounds.map((round, index) => {
    const reasoningMs = times[index];
    return reasoningMs === undefined ? round : { ...round, reasoningMs };
  });
}

function withThinking(round: Round): Round {
  if (round.reasoning !== "") return round;
  const { reasoning, text } = splitThinking(round.text);
  return reasoning === "" && text === round.text ? round : { ...round, reasoning, text };
}

function isSame(one: Message[], other: Message[]): boolean {
  return one.length === other.length && one.every((message, index) => message === other[index]);
}
