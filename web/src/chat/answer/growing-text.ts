/**
 * Cuts off the plain words that were added to the end of a growing Markdown text: they change
 * nothing of what stands before them, so that only the rest has to be parsed.
 */
import type { Element, Root, Text } from "hast";

/** Where text may grow: whatever else the last words are in ends before more is added. */
const GROWS = new Set(["p", "li", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"]);
/** Marks nothing in Markdown, unless it begins a line or ends what the words before it began. */
const PLAIN = /[\p{L}\p{M}\p{N} ,;!?'"‘’“”–—…-]/u;
const WORD_END = /[\p{L}\p{N}](?= )/gu;
const LAST_WORD = /[\p{L}\p{N}]+$/u;

/** Return the text in two parts, of which the second is plain and begins with a space, or is empty. */
export function splitGrowing(text: string): [settled: string, added: string] {
  let plain = text.length;
  while (plain > 0 && isPlain(text, plain - 1)) plain -= 1;
  // The word there, and the first of a line, may depend on what is in front of it.
  WORD_END.lastIndex = plain;
  const end = WORD_END.test(text) ? WORD_END.lastIndex : text.length;
  const added = text.slice(end);
  // These are links with what follows them.
  if (/www/i.test(added)) return [text, ""];
  return [text.slice(0, end), added];
}

function isPlain(text: string, index: number): boolean {
  const character = text.charAt(index);
  if (character !== "." && character !== ":") return PLAIN.test(character);
  // Between letters it may be one of an address.
  return index === text.length - 1 || text.charAt(index + 1) === " ";
}

export type GrowingEnd = { isMarked: boolean };

/** Mark with a `slot` where words may be added to `settled`, and tell in `end` if there is a place. */
export function markEnd(settled: string, end: GrowingEnd): () => (tree: Root) => void {
  return () => (tree) => {
    const word = LAST_WORD.exec(settled)?.[0];
    const place = lastText(tree);
    if (word === undefined || !place?.text.value.endsWith(word)) return;
    const slot: Element = { type: "element", tagName: "slot", properties: {}, children: [] };
    place.parent.children.splice(place.parent.children.indexOf(place.text) + 1, 0, slot);
    end.isMarked = true;
  };
}

function lastText(parent: Root | Element): { parent: Root | Element; text: Text } | undefined {
  const last = parent.children.findLast((node) => node.type !== "text" || node.value.trim() !== "");
  if (last?.type === "text") return { parent, text: last };
  return last?.type === "element" && GROWS.has(last.tagName) ? lastText(last) : undefined;
}
