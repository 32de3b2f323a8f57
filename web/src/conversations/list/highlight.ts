/** Where the text of a search occurs in a text, so that it can be marked. */

export type Part = { text: string; isMatch: boolean };

/** Split a text at each occurrence of `search`, ignoring case as the API does. */
export function highlight(text: string, search: string): Part[] {
  const wanted = search.trim();
  if (wanted === "") return [{ text, isMatch: false }];
  // Lower case may be longer than the text ("İ"), so the positions come from an expression.
  const pattern = new RegExp(wanted.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isMatch: false });
    parts.push({ text: match[0], isMatch: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isMatch: false });
  return parts;
}
