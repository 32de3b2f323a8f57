import { expect, it } from "vitest";
import type { Message } from "../types";
import { contextUse } from "./context-use";

const answer = { content: "x".repeat(40), receipt: { context_tokens: 100, context_size: 1000 } };
const plain = { content: "x".repeat(40), receipt: null };
const branch = (...list: object[]) => list as Message[];

it.each([
  [branch(plain, answer), "", { used: 100, size: 1000, isEstimated: false }],
  [branch(plain, answer), "four", { used: 101, size: 1000, isEstimated: true }],
  [branch(answer, plain), "", { used: 110, size: 1000, isEstimated: true }],
  [branch(plain), "", { used: 10, size: 2048, isEstimated: true }],
  [branch(), "", { used: 0, size: 2048, isEstimated: false }],
])("adds an estimate to what was counted", (messages, draft, expected) => {
  expect(contextUse(messages, draft, 2048)).toEqual(expected);
});
