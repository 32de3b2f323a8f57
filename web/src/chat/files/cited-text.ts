/**
 * The numbers of citations in an answer, and quotes in it that are shown word for word. Both are
 * placeholders in its Markdown: what a file says is never Markdown.
 */
import type { Citation } from "../types";

/** Characters for private use, which stand for the number and the quote of a citation. */
const NUMBER = "\ue0f0";
const QUOTE = "\ue0f1";
const END = "\ue0f2";
const RESERVED = /[\ue0f0-\ue0f2]/g;
const PLACEHOLDER = /([\ue0f0\ue0f1])(\d{1,6})\ue0f2/g;
/** Text behind it would keep code from ending. */
const FENCE_LINE = /(?:^|\n) {0,3}(?:`{3,}|~{3,})[ \t]*$/;

/** Return an answer with placeholders; the places of citations are counted in code points. */
export function citedText(text: string, citations: readonly Citation[]): string {
  if (citations.length === 0) return text;
  const points = [...text];
  const order = citations.map((citation, number) => ({ citation, number }));
  order.sort((one, other) => one.citation.index - other.citation.index);
  let position = 0;
  const output = order.map(({ citation, number }) => {
    const end = Math.min(Math.max(citation.index, position), points.length);
    const part = points.slice(position, end).join("");
    position = end;
    const gap = FENCE_LINE.test(part) ? "\n\n" : " ";
    return `${withQuote(part, citation, number)}${gap}${NUMBER}${number}${END}`;
  });
  return [...output, clean(points.slice(position).join(""))].join("");
}

function withQuote(part: string, { quote, match }: Citation, number: number): string {
  const found = quote && match !== "similar_passage" ? part.lastIndexOf(quote) : -1;
  if (found < 0) return clean(part);
  const after = clean(part.slice(found + quote.length));
  return `${clean(part.slice(0, found))}${QUOTE}${number}${END}${after}`;
}

function clean(text: string): string {
  return text.replace(RESERVED, "\ufffd");
}

/** What is used here of Markdown's syntax tree. */
export type Node = {
  type: string;
  value?: string;
  url?: string;
  children?: Node[];
  data?: { hName: string; hProperties: { dataNumber: string } };
};

/** Return a text in which the placeholders are what they stand for. */
export function plainCitations(text: string, citations: readonly Citation[]): string {
  if (citations.length === 0) return text;
  return text.replace(PLACEHOLDER, (_, kind, number) =>
    kind === QUOTE ? (citations[Number(number)]?.quote ?? "") : `[${Number(number) + 1}]`,
  );
}

/** Return a plugin of remark that puts citations in the place of their placeholders. */
export function citationPlugin(citations: readonly Citation[]): () => (tree: Node) => void {
  const plain = (text: string) => plainCitations(text, citations);
  const change = (node: Node): void => {
    if (node.value !== undefined) node.value = plain(node.value);
    if (node.url !== undefined) node.url = plain(node.url);
    node.children = node.children?.flatMap((child) => {
      if (child.type === "text") return textNodes(child.value ?? "", citations);
      change(child);
      return [child];
    });
  };
  return () => change;
}

function textNodes(text: string, citations: readonly Citation[]): Node[] {
  const nodes: Node[] = [];
  let end = 0;
  const addText = (value: string) => {
    if (value !== "") nodes.push({ type: "text", value });
  };
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [placeholder, kind, number = ""] = match;
    addText(text.slice(end, match.index));
    end = match.index + placeholder.length;
    if (kind === QUOTE) addText(citations[Number(number)]?.quote ?? "");
    // No Markdown makes this element, so no text can pretend to be a citation.
    else nodes.push({ type: "citation", children: [], data: citeElement(number) });
  }
  addText(text.slice(end));
  return nodes;
}

function citeElement(number: string): NonNullable<Node["data"]> {
  return { hName: "cite", hProperties: { dataNumber: number } };
}
