/** Cuts Markdown into blocks, so that a growing answer formats only its last one again. */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
/** What one block defines and another uses: then all of it is one block. */
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;

/** Return the blocks of a text; joined they are the text again. */
export function splitBlocks(text: string): string[] {
  if (DEFINITION.test(text)) return [text];
  const lines = text.split("\n");
  const blocks: string[] = [];
  let start = 0;
  let fence = "";
  let isMath = false;
  let isList = false;
  let wasBlank = false;
  lines.forEach((line, index) => {
    const isBlank = line.trim() === "";
    const isInside = fence !== "" || isMath;
    // Indented lines and further items belong to a list above them.
    const isContinued = /^\s/.test(line) || (isList && LIST_ITEM.test(line));
    if (!isInside && wasBlank && !isBlank && !isContinued) {
      blocks.push(`${lines.slice(start, index).join("\n")}\n`);
      start = index;
      isList = false;
    }
    if (!isInside && LIST_ITEM.test(line)) isList = true;
    if (line.trim() === "$$" && fence === "") isMath = !isMath;
    fence = nextFence(line, fence);
    wasBlank = isBlank;
  });
  blocks.push(lines.slice(start).join("\n"));
  return blocks;
}

/** Return the fence that is open after a line: "" if there is none. */
function nextFence(line: string, fence: string): string {
  const marks = FENCE.exec(line)?.[1];
  if (marks === undefined) return fence;
  if (fence === "") return marks;
  const isEnd = marks[0] === fence[0] && marks.length >= fence.length;
  return isEnd && line.trim() === marks ? "" : fence;
}
