// @vitest-environment jsdom
import { expect, test } from "vitest";
import { formatOf } from "@/settings/format";
import { attemptErrors, neededTokens, progressLabel, ruleLabel, summaryLine } from "./labels";
import type { Attempt } from "./request";

const attempt: Attempt = {
  finish_reason: "stop",
  errors: [],
  level: 0,
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
  ms: 1500,
};

test.each([
  [undefined, 1, "Waiting for the model…"],
  [{ phase: "waiting", position: 3 }, 1, "Queued, position 3…"],
  [{ phase: "waiting", position: 0 }, 1, "Waiting for the model…"],
  [{ phase: "reading", fraction: 0.5 }, 1, "Processing the prompt, 50%…"],
  [{ phase: "writing", fraction: 0.5 }, 2, "Generating, attempt 2…"],
])("progress %o is described", (progress, number, label) => {
  expect(progressLabel(progress, number)).toBe(label);
});

test("a rule is described with its place", () => {
  expect(ruleLabel({ keyword: "uniqueItems", pointer: "/a" })).toBe("no duplicate items at /a");
  expect(ruleLabel({ keyword: "new", pointer: "" })).toBe("new");
});

test("a summary leaves out what was not measured", () => {
  const format = formatOf("en");
  expect(
    summaryLine({ name: undefined, attempts: [], seconds: undefined, usage: undefined }, format),
  ).toBe("custom schema");
  const usage = { prompt_tokens: null, completion_tokens: 1234 };
  expect(summaryLine({ name: "event", attempts: [attempt], seconds: 2, usage }, format)).toBe(
    "event · 1 attempt · 2 s · 1,234 completion tokens",
  );
});

test("errors of an attempt are summarized", () => {
  const error = { pointer: "", keyword: "type", message: "is a string" };
  expect(attemptErrors(attempt)).toBe("none");
  expect(attemptErrors({ ...attempt, errors: [error, error, error] })).toBe(
    "type at top level and 2 more",
  );
});

test.each([
  ["schema_too_large", { max_tokens: 610 }, 610],
  ["schema_too_large", { max_tokens: 1e9 }, undefined],
  ["schema_too_large", { max_tokens: "610" }, undefined],
  ["schema_invalid", { max_tokens: 610 }, undefined],
])("%s says how many tokens are needed", (code, details, tokens) => {
  expect(neededTokens(code, details)).toBe(tokens);
});
