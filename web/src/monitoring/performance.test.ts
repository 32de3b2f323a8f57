import { expect, test } from "vitest";
import { median, speeds } from "./performance";
import type { Status } from "./queries";
import { stateOf } from "./service-state";

type Recent = NonNullable<Status["recent"]>;

test("answers are shown oldest first, and what is not plausible is not measured", () => {
  const recent = [
    {
      model: null,
      ended_at: "2",
      receipt: {
        model: "m",
        completion_tokens: -1,
        first_token_ms: 250,
        completion_tokens_per_second: 1e9,
      },
    },
    { model: "n", ended_at: "1", receipt: null },
  ] as unknown as Recent;
  expect(speeds(recent)).toEqual([
    { model: "n", endedAt: "1", tokens: null, tokensPerSecond: null, firstTokenSeconds: null },
    { model: "m", endedAt: "2", tokens: null, tokensPerSecond: null, firstTokenSeconds: 0.25 },
  ]);
});

test.each([
  [[], null],
  [[null], null],
  [[3, null, 1], 2],
  [[10, 9, 100], 10],
])("the median of %j is %s", (values, result) => {
  expect(median(values)).toBe(result);
});

test("an API that does not answer any more is offline, whatever it said before", () => {
  const data = { model_server: { state: "ready" } } as Parameters<typeof stateOf>[0]["data"];
  expect(stateOf({ data, isError: true })).toBe("api_down");
  expect(stateOf({ data, isError: false })).toBe("ready");
  expect(stateOf({ data: undefined, isError: false })).toBe("checking");
});
