/** First questions, which the smallest model, SmolLM2-135M, answers well nine times in ten. */
export const STARTERS = [
  { name: "Explain", text: "What is photosynthesis? Keep it short." },
  {
    name: "Rewrite",
    text: "Rewrite this sentence in the past tense: I play chess with my brother.",
  },
  {
    name: "Summarize",
    text: "Summarize in one sentence: Regular exercise strengthens the heart, improves sleep and lifts the mood. Even a daily walk helps.",
  },
  { name: "Code", text: "Write a Python function is_even(n). Keep it short." },
] as const;
