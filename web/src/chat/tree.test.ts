import { describe, expect, it } from "vitest";
import { storedRounds, toItems, versionItems } from "./items";
import { chatRequest, requestOptions } from "./request";
import { activeBranch, branchTo, inContext, latestLeaf, versions } from "./tree";
import type { Message } from "./types";

function message(id: string, parent: string | null, role: Message["role"], more = {}): Message {
  return { id, parent, role, content: id, created_at: `2026-01-0${id.length}`, ...more } as Message;
}

const CALL = { id: "c1", function: { name: "add", arguments: '{"a": 1}' } };
const MESSAGES = [
  message("q1", null, "user"),
  message("a1", "q1", "assistant"),
  message("a2", "q1", "assistant"),
  message("q2", "a1", "user"),
  message("a3", "q2", "assistant", { tool_calls: [CALL] }),
  message("t1", "a3", "tool", {
    tool_call_id: "c1",
    step: { id: "c1", tool: "add", arguments: { a: 1 }, state: "awaiting_approval" },
  }),
  message("a4", "t1", "assistant"),
];
const ids = (list: { id: string }[]) => list.map(({ id }) => id);
const settings = {
  model: "m",
  system: "Be brief.",
  parameters: { temperature: 1, smolchat: { tools: ["x"] } },
  tools: [],
  files: { file_ids: [], vector_store_ids: [] },
};

describe("tree", () => {
  it("finds branches, versions and the newest end", () => {
    expect(ids(activeBranch({ messages: MESSAGES, current: "a4" }))).toEqual([
      "q1",
      "a1",
      "q2",
      "a3",
      "t1",
      "a4",
    ]);
    expect(branchTo(MESSAGES, "gone")).toEqual([]);
    expect(ids(versions(MESSAGES, MESSAGES[1] as Message))).toEqual(["a1", "a2"]);
    expect(latestLeaf(MESSAGES, MESSAGES[1] as Message)).toBe("a4");
    expect(latestLeaf(MESSAGES, MESSAGES[2] as Message)).toBe("a2");
  });

  it("ends where parents form a circle", () => {
    const circle = [message("x", "y", "user"), message("y", "x", "assistant")];
    expect(branchTo(circle, "x")).toHaveLength(2);
  });

  it("orders versions by their edits", () => {
    const edited = message("a1", "q1", "assistant", { edited_at: "2027" });
    const list = [MESSAGES[0] as Message, edited, MESSAGES[2] as Message];
    expect(ids(versions(list, edited))).toEqual(["a2", "a1"]);
  });

  it("begins the context at any version of its first message", () => {
    const branch = branchTo(MESSAGES, "a4");
    expect(inContext(MESSAGES, branch, "q2")[0]?.id).toBe("q2");
    expect(inContext(MESSAGES, branch, "a2")[0]?.id).toBe("a1");
    expect(inContext(MESSAGES, branch, null)).toHaveLength(6);
  });
});

describe("items", () => {
  it("shows an answer with its steps as one", () => {
    const items = toItems(branchTo(MESSAGES, "a4"));
    expect(ids(items)).toEqual(["q1", "a1", "q2", "a3"]);
    const rounds = storedRounds(items[3] as (typeof items)[0]);
    expect(rounds.map(({ text }) => text)).toEqual(["a3", "a4"]);
    expect(rounds[0]?.steps[0]?.state).toBe("denied"); // the model went on
    expect(ids(versionItems(MESSAGES, [MESSAGES[4] as Message])[0]?.messages ?? [])).toEqual([
      "a3",
      "t1",
      "a4",
    ]);
  });
});

describe("chatRequest", () => {
  const branch = branchTo(MESSAGES, "a4");

  it("sends calls with their results, and parameters over defaults", () => {
    const body = chatRequest({
      branch,
      settings,
      defaults: { temperature: 0, top_p: 1 },
      question: "Hi",
    });
    expect(body).toMatchObject({ model: "m", temperature: 1, top_p: 1, stream: true });
    expect(body.smolchat).toBeUndefined();
    const messages = body.messages as { role: string; tool_calls?: unknown }[];
    expect(messages.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "user",
      "assistant",
      "tool",
      "assistant",
      "user",
    ]);
    expect(messages[4]?.tool_calls).toEqual([
      { id: "c1", type: "function", function: { name: "add", arguments: '{"a":1}' } },
    ]);
  });

  it("leaves out results that the API is to find, and empty messages", () => {
    const empty = [...branch.slice(0, 5), message("q3", "a1", "user", { content: "" })];
    const body = chatRequest({ branch: empty, settings, defaults: {}, undecided: new Set(["c1"]) });
    const roles = (body.messages as { role: string }[]).map(({ role }) => role);
    expect(roles).toEqual(["system", "user", "assistant", "user", "assistant"]);
  });

  it("detaches only what is stored", () => {
    const files = { file_ids: ["f"], vector_store_ids: [] };
    const stored = requestOptions({ conversation: "c", parent: null, tools: ["t"], files });
    expect(stored.smolchat).toMatchObject({
      detach: true,
      parent: null,
      file_search: files,
      tools: ["t"],
    });
    const temporary = requestOptions({
      conversation: undefined,
      parent: null,
      tools: [],
      files: settings.files,
    });
    expect(Object.keys(temporary.smolchat)).toEqual(["receipt", "progress", "separate_reasoning"]);
  });
});
