/** The tree of a conversation's messages: its branches, and the versions of a message. */
import type { Conversation, Message } from "./types";

type Tree = Pick<Conversation, "messages" | "current">;

/** Return the messages from the first one down to `leaf`, or none if there is no such message. */
export function branchTo(messages: readonly Message[], leaf: string | null): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const branch: Message[] = [];
  let message = leaf === null ? undefined : byId.get(leaf);
  while (message !== undefined && branch.length < messages.length) {
    branch.push(message);
    message = message.parent === null ? undefined : byId.get(message.parent);
  }
  return branch.reverse();
}

export function activeBranch({ messages, current }: Tree): Message[] {
  return branchTo(messages, current);
}

/** Return the part of a branch that is sent to the model. It may begin with another version. */
export function inContext(
  messages: readonly Message[],
  branch: Message[],
  sentFrom: string | null,
): Message[] {
  const first = messages.find((message) => message.id === sentFrom);
  if (first === undefined) return branch;
  const start = branch.findIndex((message) => message.parent === first.parent);
  return start < 0 ? branch : branch.slice(start);
}

const childrenOf = new WeakMap<readonly Message[], Map<string | null, Message[]>>();

/** Return the messages by the id of their parent. They are sorted once for each list. */
export function byParent(messages: readonly Message[]): Map<string | null, Message[]> {
  const known = childrenOf.get(messages);
  if (known !== undefined) return known;
  const children = Map.groupBy(messages, ({ parent }) => parent);
  childrenOf.set(messages, children);
  return children;
}

/** Return all versions of a message, itself among them, in the order of the list. */
export function versions(messages: readonly Message[], message: Message): Message[] {
  const siblings = byParent(messages).get(message.parent) ?? [];
  const found = siblings.filter((other) => other.role === message.role);
  if (!found.some((other) => other.edited_at)) return found;
  // The text of an edited message is its newest version, although its place in the list is the old.
  const time = ({ edited_at, created_at }: Message) => edited_at ?? created_at;
  return found.sort((one, other) => time(one).localeCompare(time(other)));
}

/** Follow the newest reply from `message` down to the end of its branch. */
export function latestLeaf(messages: readonly Message[], message: Message): string {
  let leaf = message.id;
  const newest = (id: string) => byParent(messages).get(id)?.at(-1)?.id;
  for (let next = newest(leaf); next !== undefined; next = newest(leaf)) leaf = next;
  return leaf;
}
