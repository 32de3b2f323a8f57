import { describe, expect, it } from "vitest";
import { EventParser } from "@/api/sse";
import { addEvent, endStream, isOver, type LiveAnswer, liveSpeed, newAnswer } from "./live-answer";

const delta = (fields: object, finish: string | null = null) =>
  JSON.stringify({ choices: [{ index: 0, delta: fields, finish_reason: finish }], model: "m" });
const ours = (smolchat: object) => JSON.stringify({ choices: [], smolchat });
const step = (state: string, more: object = {}) =>
  ours({ step: { id: "c1", tool: "calculator", arguments: { a: 1 }, state, ...more } });

function play(events: string[], answer: LiveAnswer = newAnswer(0)): LiveAnswer {
  return events.reduce((state, event, index) => addEvent(state, event, index * 100), answer);
}

/** What each stream makes of an answer, whatever form its model server gives the same things. */
const STREAMS: [string, string[], object][] = [
  [
    "plain text",
    [
      delta({ role: "assistant", content: "" }),
      delta({ content: "Hel" }),
      delta({ content: "lo" }),
      delta({}, "stop"),
      "[DONE]",
    ],
    { state: "finished", text: "Hello", finishReason: "stop", chunks: 2 },
  ],
  [
    "content in parts, and null",
    [
      delta({ content: null }),
      delta({ content: [{ type: "text", text: "A" }, { type: "x" }] }),
      delta({}, "length"),
      "[DONE]",
    ],
    { state: "finished", text: "A", finishReason: "length" },
  ],
  [
    "a finish reason without [DONE]",
    [delta({ content: "A" }, "stop")],
    { state: "finished", text: "A" },
  ],
  ["nothing at all", [], { state: "failed", code: "incomplete_stream" }],
  [
    "half an answer",
    [delta({ content: "A" })],
    { state: "failed", text: "A", code: "incomplete_stream" },
  ],
  [
    "reasoning in a field of its own",
    [
      delta({ reasoning_content: "Hm" }),
      delta({ reasoning: "m" }),
      delta({ content: "A" }, "stop"),
    ],
    { text: "A", reasoning: "Hmm", reasoningMs: 200 },
  ],
  [
    "text that turns out to be reasoning",
    [
      delta({ content: "Hm</" }),
      ours({ reasoning_so_far: { text: "Hm" } }),
      delta({ content: "A" }, "stop"),
    ],
    { text: "A", reasoning: "Hm" },
  ],
  [
    "an error after the first token",
    [
      delta({ content: "A" }),
      JSON.stringify({ error: { message: "Down", code: "model_server_unreachable" } }),
      delta({ content: "B" }),
    ],
    { state: "failed", text: "A", code: "model_server_unreachable" },
  ],
  ["an error that is a text", ['{"error": "boom"}'], { state: "failed", message: "boom" }],
  ["an error that is nothing", ['{"error": {}}'], { state: "failed", code: "unknown" }],
  [
    "an answer that was stopped elsewhere",
    [delta({ content: "A" }), '{"error": {"message": "x", "code": "answer_stopped"}}'],
    { state: "stopped", text: "A" },
  ],
  ["something that is no JSON", ["<html>"], { state: "failed", code: "invalid_stream" }],
  [
    "JSON that is no chunk",
    [
      "null",
      "[]",
      "7",
      '{"choices": "x"}',
      '{"choices": [null]}',
      '{"choices": [{"delta": 1}]}',
      delta({ content: "A" }, "stop"),
    ],
    { state: "finished", text: "A" },
  ],
  [
    "calls in parts, numbered or not",
    [
      delta({ tool_calls: [{ index: 0, id: "c9", function: { name: "ad", arguments: '{"a"' } }] }),
      delta(
        {
          tool_calls: [
            { index: 0, function: { name: "d", arguments: ":1}" } },
            { function: { name: "x" } },
          ],
        },
        "tool_calls",
      ),
    ],
    {
      toolCalls: [
        { id: "c9", name: "add", arguments: '{"a":1}' },
        { id: "call_1", name: "x", arguments: "" },
      ],
    },
  ],
  [
    "steps that change, then text",
    [
      delta({ content: "I'll add." }),
      step("running"),
      step("finished", { result: "3" }),
      delta({ content: "3" }, "stop"),
      "[DONE]",
    ],
    { state: "finished", text: "3", roundCount: 2, stepStates: ["finished"] },
  ],
  [
    "a step that awaits approval",
    [step("awaiting_approval")],
    { state: "finished", stepStates: ["awaiting_approval"] },
  ],
  [
    "the end of an answer that is followed",
    [delta({ content: "A" }, "stop"), ours({ receipt: { total_ms: 5 }, state: "interrupted" })],
    { state: "interrupted", text: "A" },
  ],
  [
    "the failure of an answer that is followed",
    [ours({ state: "failed", error: { message: "Down", code: "x" } })],
    { state: "failed", message: "Down", code: "x" },
  ],
];

function summary(answer: LiveAnswer): Record<string, unknown> {
  const round = answer.rounds.at(-1);
  return {
    state: answer.state,
    text: round?.text,
    reasoning: round?.reasoning,
    reasoningMs: round?.reasoningMs,
    toolCalls: round?.toolCalls,
    roundCount: answer.rounds.length,
    stepStates: answer.rounds.flatMap(({ steps }) => steps.map(({ state }) => state)),
    finishReason: answer.finishReason,
    chunks: answer.chunks,
    code: answer.error?.code,
    message: answer.error?.message,
  };
}

describe("addEvent", () => {
  it.each(STREAMS)("reads %s", (_, events, expected) => {
    const answer = endStream(play(events));
    expect(summary(answer)).toMatchObject(expected);
    expect(isOver(answer)).toBe(true);
  });

  it("makes the same of a stream wherever it is cut", () => {
    const events = STREAMS.flatMap(([, each]) =>
      each.filter((data) => data !== "[DONE]" && !data.includes("error") && data !== "<html>"),
    );
    const text = events.map((data) => `data: ${data}\n\n`).join("");
    const whole = summary(play(events));
    for (let size = 1; size < 200; size += 7) {
      const parser = new EventParser();
      const cut: string[] = [];
      for (let at = 0; at < text.length; at += size)
        cut.push(...parser.push(text.slice(at, at + size)));
      expect(summary(play(cut))).toEqual(whole);
    }
  });

  it("keeps the text that an answer continues", () => {
    const answer = play([delta({ content: " world" }, "stop")], newAnswer(0, "Hello"));
    expect(answer.rounds[0]?.text).toBe("Hello world");
  });

  it("notes stats, ids, citations, probabilities and progress", () => {
    const logprobs = { content: [{ token: "A", logprob: -0.1 }, { token: 1 }] };
    const answer = play([
      ours({ progress: { phase: "reading", fraction: 0.5 } }),
      ours({ conversation: { id: "c", user_message: "q", answer_message: "a" } }),
      ours({ retrieval: { strategy: "passages", read: 1 } }),
      JSON.stringify({ choices: [{ delta: { content: "A" }, logprobs }] }),
      delta({ annotations: [{ file_id: "f", index: 1 }] }, "stop"),
      ours({ retrieval: { supported: 1 } }),
      ours({ receipt: { completion_tokens: 1 } }),
      "[DONE]",
    ]);
    expect(answer).toMatchObject({
      progress: { phase: "reading" },
      stored: { question: "q", answer: "a" },
      retrieval: { strategy: "passages", supported: 1 },
      logprobs: [{ token: "A" }],
      citations: [{ file_id: "f" }],
      receipt: { completion_tokens: 1 },
    });
  });
});

describe("liveSpeed", () => {
  it("is told from the fifth token on", () => {
    const text = Array.from({ length: 11 }, () => delta({ content: "x" }));
    expect(liveSpeed(play(text.slice(0, 4)), 300)).toBeUndefined();
    expect(liveSpeed(play(text), 1000)).toBeCloseTo(10);
  });
});
