/** A chat that is not stored: its messages live in this tab only, in the form of a stored one. */
import { queryClient } from "@/api/query-client";
import { conversationKeys } from "@/conversations/queries";
import type { LiveAnswer } from "./answer/live-answer";
import { type Content, contentText } from "./request";
import { TEMPORARY } from "./temporary-id";
import { branchTo } from "./tree";
import type { Conversation, Message } from "./types";

export { TEMPORARY };

const KEY = conversationKeys.one(TEMPORARY);

export function readTemporary(): Conversation {
  return queryClient.getQueryData<Conversation>(KEY) ?? emptyChat();
}

export function writeTemporary(change: Partial<Conversation>): void {
  queryClient.setQueryData<Conversation>(KEY, { ...readTemporary(), ...change });
}

export function emptyChat(): Conversation {
  const now = new Date().toISOString();
  return {
    id: TEMPORARY,
    created_at: now,
    updated_at: now,
    title: "Temporary chat",
    model: null,
    system_prompt: null,
    parameters: null,
    current: null,
    sent_from: null,
    messages: [],
    has_more: false,
  } as unknown as Conversation;
}

/** Return a message as it would be stored. */
export function newMessage(
  role: Message["role"],
  parent: string | null,
  content: Content,
  more: Partial<Message> = {},
): Message {
  const now = new Date().toISOString();
  const isText = typeof content === "string";
  return {
    id: crypto.randomUUID(),
    created_at: now,
    updated_at: now,
    parent,
    role,
    content: contentText(content),
    parts: isText ? null : content,
    reasoning: null,
    tool_calls: null,
    tool_call_id: null,
    step: null,
    logprobs: null,
    annotations: null,
    retrieval: null,
    model: null,
    parameters: null,
    state: null,
    receipt: null,
    error: null,
    edited_at: null,
    ...more,
  } as Message;
}

/** Return the messages that an answer with its steps is stored as. */
export function answerMessages(parent: string, answer: LiveAnswer): Message[] {
  const messages: Message[] = [];
  let last = parent;
  const add = (message: Message) => {
    messages.push(message);
    last = message.id;
  };
  answer.rounds.forEach((round, index) => {
    const isLast = index === answer.rounds.length - 1;
    const calls = round.toolCalls.map(({ id, name, arguments: text }) => ({
      id,
      type: "function",
      function: { name, arguments: text },
    }));
    const steps = round.steps.map(({ id, tool, arguments: value }) => ({
      id,
      type: "function",
      function: { name: tool, arguments: JSON.stringify(value) },
    }));
    const toolCalls = [
      ...calls,
      ...steps.filter(({ id }) => !calls.some((call) => call.id === id)),
    ];
    add(
      newMessage("assistant", last, round.text, {
        reasoning: round.reasoning || null,
        tool_calls: toolCalls.length > 0 ? toolCalls : null,
        state: answer.state === "waiting" || answer.state === "writing" ? null : answer.state,
        model: answer.model ?? null,
        ...(isLast ? lastFields(answer) : {}),
      }),
    );
    for (const step of round.steps) {
      add(newMessage("tool", last, step.result ?? "", { tool_call_id: step.id, step }));
    }
  });
  return messages;
}

function lastFields(answer: LiveAnswer): Partial<Message> {
  return {
    receipt: (answer.receipt as Message["receipt"]) ?? null,
    logprobs: answer.logprobs.length > 0 ? answer.logprobs : null,
    annotations: answer.citations.length > 0 ? answer.citations : null,
    retrieval: (answer.retrieval as Message["retrieval"]) ?? null,
    error: answer.error ?? null,
  };
}

export function appendTemporary(messages: Message[]): void {
  const chat = readTemporary();
  const current = messages.at(-1)?.id ?? chat.current;
  writeTemporary({ messages: [...chat.messages, ...messages], current });
}

/** Delete a message and everything after it. */
export function deleteTemporary(id: string): void {
  const chat = readTemporary();
  const message = chat.messages.find((other) => other.id === id);
  const isAfter = (other: Message) =>
    branchTo(chat.messages, other.id).some((above) => above.id === id);
  const messages = chat.messages.filter((other) => !isAfter(other));
  const isCurrent = messages.some((other) => other.id === chat.current);
  const sibling = messages.findLast((other) => other.parent === message?.parent);
  const current = isCurrent ? chat.current : (sibling?.id ?? message?.parent ?? null);
  writeTemporary({ messages, current });
}
