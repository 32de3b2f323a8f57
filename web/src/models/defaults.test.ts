import { expect, it } from "vitest";
import { modelDefaults } from "./defaults";

it.each([
  ["ai/smollm2:latest", "llama.cpp", { temperature: 0.2, top_p: 0.9, repeat_penalty: 1.1 }],
  ["ai/smollm2:latest", "vLLM", { temperature: 0.2, top_p: 0.9 }],
  ["SmolLM2-1.7B-Instruct-Q4_K_M.gguf", null, { temperature: 0.2, top_p: 0.9 }],
  ["ai/qwen3:0.6B", "vLLM", { temperature: 0.6, top_p: 0.95 }],
  ["ai/qwen3-coder", "llama.cpp", {}],
  ["qwen3.5", "llama.cpp", {}],
  ["unsmollm2x", "llama.cpp", {}],
  [null, "llama.cpp", {}],
])("finds what suits %s at %s", (model, server, expected) => {
  expect(modelDefaults(model, server)).toEqual(expected);
});
