/** Reasoning that stands in the text of an answer, as in chats that were imported. */

const OPENING = /^\s*(?:<(think|thinking|thought)>|\[(THINK)\])/i;

export function splitThinking(text: string): { reasoning: string; text: string } {
  const opening = OPENING.exec(text);
  if (opening === null) return { reasoning: "", text };
  const tag = opening[1] ?? opening[2];
  const rest = text.slice(opening[0].length);
  const end = new RegExp(`(?:</${tag}>|\\[/${tag}\\])`, "i").exec(rest);
  if (end === null) return { reasoning: rest.trim(), text: "" };
  return {
    reasoning: rest.slice(0, end.index).trim(),
    text: rest.slice(end.index + end[0].length).trimStart(),
  };
}
