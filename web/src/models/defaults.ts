/**
 * Sampling parameters that suit a model: what its publisher recommends in model cards and
 * generation_config.json files, by model family. SmolLM2's `repeat_penalty` was measured: of 44
 * answers of the 135M model to simple questions 32 were right without it, 40 with 1.1.
 */

type Fields = Record<string, number>;

/** Every server takes these; a strict one refuses the others, which are llama.cpp's. */
const COMMON = new Set(["temperature", "top_p"]);
const LLAMA_CPP = new Set(["llama.cpp", "Docker Model Runner"]);

const FAMILIES: [RegExp, Fields][] = [
  family("smollm-?2", { temperature: 0.2, top_p: 0.9, repeat_penalty: 1.1 }),
  family("smollm-?3", { temperature: 0.6, top_p: 0.95 }),
  family("llama-?3[.-]2", { temperature: 0.6, top_p: 0.9 }),
  family("gemma-?3n?", { temperature: 1, top_p: 0.95, top_k: 64, min_p: 0 }),
  // The others have other recommendations, or none.
  family("qwen-?3(?!.*(?:instruct|coder|embed|rerank))", {
    temperature: 0.6,
    top_p: 0.95,
    top_k: 20,
    min_p: 0,
  }),
  family("deepseek-?r1", { temperature: 0.6, top_p: 0.95 }),
];

/** Return the fields that suit a model at this kind of model server; none if it is not known. */
export function modelDefaults(model: string | null, serverName: string | null | undefined): Fields {
  const name = (model ?? "").toLowerCase().replaceAll("_", "-").split(/[/\\]/).at(-1) ?? "";
  const fields = FAMILIES.find(([pattern]) => pattern.test(name))?.[1] ?? {};
  const isLlamaCpp = LLAMA_CPP.has(serverName ?? "");
  return Object.fromEntries(
    Object.entries(fields).filter(([field]) => isLlamaCpp || COMMON.has(field)),
  );
}

/** Neither part of another word nor of another version: qwen3.5 is not qwen3. */
function family(pattern: string, fields: Fields): [RegExp, Fields] {
  return [new RegExp(`(?<![a-z0-9])(?:${pattern})(?![a-z0-9]|\\.\\d)`), fields];
}
