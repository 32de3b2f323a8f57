/**
 * What a first-time user can try. The smallest model, SmolLM2-135M, gives a usable answer to each at
 * least four times in five.
 */

export type Starter = { name: string; text: string; note?: string } & (
  | { kind: "text" }
  | { kind: "tool"; tool: string }
  | { kind: "file"; file: { name: string; text: string } }
);

export const STARTERS: Starter[] = [
  { kind: "text", name: "Explain", text: "What is photosynthesis? Keep it short." },
  {
    kind: "text",
    name: "Rewrite",
    text: "Rewrite this sentence in the past tense: I play chess with my brother.",
  },
  {
    kind: "text",
    name: "Summarize",
    text: "Summarize in a few words: The train to Oslo was delayed by two hours because of heavy snow on the tracks.",
  },
  {
    kind: "tool",
    name: "Use a tool",
    text: "What is the date today?",
    note: "Switches the clock on.",
    tool: "current_date_and_time",
  },
  {
    kind: "file",
    name: "Ask a file",
    text: "When does the library open on Saturdays?",
    note: "Attaches a short text.",
    file: {
      name: "library.txt",
      text: "Ashford Public Library\n\nThe library opens at 9:00 on weekdays and at 11:00 on Saturdays. It is closed on Sundays. Members may borrow ten books for three weeks. A lost card is replaced for two pounds. The reading room has free wireless internet.\n",
    },
  },
];
