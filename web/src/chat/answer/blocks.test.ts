import { describe, expect, it } from "vitest";
import { splitBlocks } from "./blocks";
import { normalizeMath } from "./math-text";
import { splitThinking } from "./thinking";

const TEXTS = [
  "One\n\nTwo\nlines\n\n\nThree",
  "1. a\n\n   more\n\n2. b\n\nAfter",
  "```py\na\n\nb\n```\n\nAfter",
  "````\n```\n\n````\n\nAfter",
  "$$\na\n\nb\n$$\n\nAfter",
  "See [a].\n\n[a]: x\n\nMore",
  "\n\n",
  "",
];

describe("splitBlocks", () => {
  it("keeps what belongs together in one block", () => {
    expect(TEXTS.map((text) => splitBlocks(text).length)).toEqual([3, 2, 2, 2, 2, 1, 1, 1]);
  });

  it("loses nothing, and leaves complete blocks as they are while a text grows", () => {
    for (const text of TEXTS) {
      const blocks = splitBlocks(text);
      expect(blocks.join("")).toBe(text);
      if (text.includes("]:")) continue;
      for (let end = text.indexOf("\n") + 1; end > 0; end = text.indexOf("\n", end) + 1) {
        const complete = splitBlocks(text.slice(0, end)).slice(0, -1);
        expect(complete).toEqual(blocks.slice(0, complete.length));
      }
    }
  });
});

describe("normalizeMath", () => {
  it.each([
    ["$x^2$ and $y$.", "$$x^2$$ and $$y$$."],
    ["It costs $5 or $10.", "It costs $5 or $10."],
    ["\\(a_1\\) is", "$$a_1$$ is"],
    ["\\[a\nb\\]", "\n$$\na\nb\n$$\n"],
    ["`$x$` and ``a ` $y$``", "`$x$` and ``a ` $y$``"],
    ["```sh\necho $A $B\n```\n$z$", "```sh\necho $A $B\n```\n$$z$$"],
    ["$$\nx\n$$", "$$\nx\n$$"],
    ["no formula", "no formula"],
  ])("reads %j", (text, expected) => {
    expect(normalizeMath(text)).toBe(expected);
  });
});

describe("splitThinking", () => {
  it.each([
    ["<think>Hm</think>\n\nYes", "Hm", "Yes"],
    ["<think>Hm", "Hm", ""],
    ["Yes <think>no</think>", "", "Yes <think>no</think>"],
    ["[THINK]Hm[/THINK]Yes", "Hm", "Yes"],
  ])("reads %j", (text, reasoning, answer) => {
    expect(splitThinking(text)).toEqual({ reasoning, text: answer });
  });
});
