import { expect, test } from "vitest";
import { readParameters } from "./use-inputs";

const EMPTY = { maxTokens: "", temperature: "", seed: "" };

test("only what is set is sent", () => {
  expect(readParameters(EMPTY)).toEqual({ parameters: {} });
  expect(readParameters({ maxTokens: " 200 ", temperature: "0", seed: "-1" })).toEqual({
    parameters: { max_tokens: 200, temperature: 0, seed: -1 },
  });
});

test.each([
  [{ maxTokens: "0" }, "Max tokens must be a whole number"],
  [{ maxTokens: "1.5" }, "Max tokens"],
  [{ temperature: "warm" }, "Temperature must be a number"],
  [{ temperature: "-1" }, "Temperature"],
  [{ seed: "1e99" }, "Seed"],
])("%o is refused", (fields, problem) => {
  expect(readParameters({ ...EMPTY, ...fields }).problem).toContain(problem);
});
