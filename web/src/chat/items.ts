/** The items of a thread: what is shown as one message, although it may be stored as several. */
import { byParent } from "./tree";
import type { Message, Round, Step, ToolCall } from "./types";

/** A question, or an answer with its steps: the calls, their results, and the next text. */
export type Item = {
  id: string;
  role: Message["role"];
  messages: Message[];
};

/** True if a message and its parent are parts of one answer. */
export function continues(message: Message, parent: Message): boolean {
  if (message.role === "tool") {
    return parent.role === "tool" || (parent.tool_calls?.length ?? 0) > 0;
  }
  return message.role === "assistant" && parent.role === "tool";
}

export function toItems(branch: readonly Message[]): Item[] {
  const items: Item[] = [];
  let previous: Message | undefined;
  for (const message of branch) {
    const last = items.at(-1);
    if (last !== undefined && previous !== undefined && continues(message, previous)) {
      last.messages.push(message);
    } else {
      items.push({ id: message.id, role: message.role, messages: [message] });
    }
    previous = message;
  }
  return items;
}

export function firstOf({ messages }: Item): Message {
  return existing(messages[0]);
}

export function lastOf({ messages }: Item): Message {
  return existing(messages.at(-1));
}

/** The last message of an item that the model wrote: its text is what the others led to. */
export function answerOf(item: Item): Message {
  return item.messages.findLast((message) => message.role !== "tool") ?? firstOf(item);
}

function existing(message: Message | undefined): Message {
  if (message === undefined) throw new Error("an item has at least one message");
  return message;
}

/** Return all items of the same question, each with the newest version of its steps. */
export function versionItems(messages: readonly Message[], siblings: readonly Message[]): Item[] {
  const children = byParent(messages);
  return siblings.map((first) => {
    const item: Item = { id: first.id, role: first.role, messages: [first] };
    let last: Message | undefined = first;
    while (last !== undefined) {
      const parent: Message = last;
      last = children.get(parent.id)?.findLast((child) => continues(child, parent));
      if (last !== undefined) item.messages.push(last);
    }
    return item;
  });
}

/** Return the rounds of an answer that is stored. */
export function storedRounds({ messages }: Item): Round[] {
  const rounds: Round[] = [];
  for (const message of messages) {
    const round = rounds.at(-1);
    if (message.role === "tool" && round !== undefined) {
      round.steps.push(storedStep(message, round.toolCalls));
    } else {
      const toolCalls = (message.tool_calls ?? []).map(storedCall);
      const text = message.content;
      rounds.push({ text, reasoning: message.reasoning ?? "", toolCalls, steps: [] });
    }
  }
  // A step after which the model went on waits no more.
  for (const round of rounds.slice(0, -1)) {
    round.steps = round.steps.map((step) =>
      step.state === "awaiting_approval" ? { ...step, state: "denied" } : step,
    );
  }
  return rounds;
}

/** Return the calls of a round that the API did not run: they are no steps. */
export function openCalls({ toolCalls, steps }: Round): ToolCall[] {
  const ids = new Set(steps.map((step) => step.id));
  return toolCalls.filter((call) => !ids.has(call.id));
}

function storedStep(message: Message, calls: ToolCall[]): Step {
  const id = message.tool_call_id ?? message.id;
  const step = message.step as Partial<Step> | null;
  if (step?.state !== undefined) {
    const isLost = step.state === "running" && message.state !== "writing";
    const state = isLost ? "interrupted" : step.state;
    return { arguments: {}, tool: "unknown", ...step, id, state };
  }
  const call = calls.find((other) => other.id === id);
  return {
    id,
    tool: call?.name ?? "unknown",
    arguments: parsed(call?.arguments ?? "{}"),
    state: "finished",
    result: message.content,
  };
}

function storedCall(call: unknown, index: number): ToolCall {
  const { id, function: described } = (call ?? {}) as {
    id?: string;
    function?: { name?: string; arguments?: string };
  };
  return {
    id: id ?? `call_${index}`,
    name: described?.name ?? "unknown",
    arguments: described?.arguments ?? "{}",
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
