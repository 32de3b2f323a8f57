/** Which words of a passage a search marks: those of the question that say something. */

export type Part = { text: string; isMatch: boolean };

const WORD = /[\p{L}\p{N}]+/gu;
const MIN_CHARACTERS = 3;
const STOP_WORDS = new Set(
  "the and for are was were what when where which who why how does did has have had with from that this than then can could would should about into its their there not".split(
    " ",
  ),
);

/** Split a text at the words of the question; words that begin alike count as the same. */
export function markWords(text: string, question: string): Part[] {
  const wanted = [...fold(question).matchAll(WORD)]
    .map(([word]) => word)
    .filter((word) => word.length >= MIN_CHARACTERS && !STOP_WORDS.has(word))
    .map(stem);
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(WORD)) {
    if (!wanted.includes(stem(fold(match[0])))) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isMatch: false });
    parts.push({ text: match[0], isMatch: true });
    end = match.index + match[0].length;
  }
  if (end < text.length || parts.length === 0) {
    parts.push({ text: text.slice(end), isMatch: false });
  }
  return parts;
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function stem(word: string): string {
  return word.replace(/(?:ies|es|s|ed|ing|e)$/, "").slice(0, 12) || word;
}
