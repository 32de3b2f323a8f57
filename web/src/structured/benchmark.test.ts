import { expect, test } from "vitest";
import {
  chatOutput,
  METHODS,
  type Method,
  type Outcome,
  scores,
  type Trial,
  toCsv,
  trialRequest,
  wilsonInterval,
} from "./benchmark";
import type { Inputs } from "./request";
import { judgeOf } from "./validate";

const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
const inputs: Inputs = {
  target: { schema },
  prompt: " one ",
  model: null,
  parameters: { seed: 5 },
  requiresMentioned: true,
};

function trial(method: Method, outcome: Outcome, seconds = 1): Trial {
  const fault = outcome === "valid" ? "" : outcome;
  const output = { finish_reason: "stop", attempts: 1, completion_tokens: 9, text: "{}" };
  return { method, number: 1, outcome, seconds, fault, ...output };
}

test("the seed increases with each trial, and methods send the schema in their own way", () => {
  const requests = METHODS.map((method) => trialRequest(inputs, method, 3));
  expect(requests.map(({ path }) => path)).toEqual(["/chat", "/chat", "/chat", "/structured"]);
  expect(requests.map(({ body }) => body.seed)).toEqual([7, 7, 7, 7]);
  expect(requests[0]?.body.messages).toMatchObject([
    { content: expect.stringContaining("JSON Schema") },
  ]);
  expect(requests[1]?.body.response_format).toEqual({ type: "json_object" });
  expect(requests[2]?.body.response_format).toMatchObject({ json_schema: { schema } });
  expect(requests[3]?.body.smolchat).toEqual({ fields: "mentioned" });
});

test("scores count outcomes, and take the time of valid ones", () => {
  const trials = [
    trial("SmolChat", "valid", 1),
    trial("SmolChat", "valid", 3),
    trial("free text", "truncated"),
    trial("free text", "invalid"),
    trial("free text", "invalid"),
  ];
  expect(scores(trials)).toMatchObject([
    { method: "free text", trials: 3, valid: 0, truncated: 1, fault: "invalid" },
    { method: "SmolChat", trials: 2, valid: 2, medianSeconds: 2, fault: "" },
  ]);
  expect(scores([])).toEqual([]);
});

test.each([
  [0, 10, 0, 0.278],
  [10, 10, 0.722, 1],
  [5, 10, 0.237, 0.763],
  [0, 0, 0, 1],
])("the interval of %i of %i", (successes, trials, low, high) => {
  const interval = wilsonInterval(successes, trials);
  expect(interval.low).toBeCloseTo(low, 3);
  expect(interval.high).toBeCloseTo(high, 3);
});

test("a CSV export has no outputs", () => {
  expect(toCsv([trial("json_schema", "valid")]).split("\r\n")).toEqual([
    "method,number,outcome,seconds,finish_reason,attempts,completion_tokens",
    "json_schema,1,valid,1.000,stop,1,9",
    "",
  ]);
});

test.each([
  ['{"a": 1}', undefined],
  ['```json\n{"a": 1}\n```', undefined],
  ['{"a": "1"}', "/a"],
  ["{}", "required"],
  ['Here: {"a": 1}', "not JSON"],
])("%s is judged", (text, fault) => {
  const result = judgeOf(schema)(text);
  if (fault === undefined) expect(result).toBeUndefined();
  else expect(result).toContain(fault);
});

test("a reply without choices is an empty output", () => {
  expect(chatOutput({})).toEqual({
    text: "",
    finish_reason: null,
    attempts: 1,
    completion_tokens: null,
  });
});
