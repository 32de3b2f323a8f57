/** Finds formulas in Markdown, whatever marks them, and leaves prices and code alone. */

const FENCED = String.raw`^ {0,3}(?:${"`"}{3,}|~{3,})[\s\S]*?(?:^ {0,3}(?:${"`"}{3,}|~{3,})[ \t]*$|$(?![\s\S]))`;
const CODE = String.raw`(?<ticks>${"`"}+)(?!${"`"})[^\n]*?[^${"`"}]\k<ticks>(?!${"`"})`;
const DISPLAY = String.raw`\\\[(?<display>[\s\S]+?)\\\]`;
const PARENTHESES = String.raw`\\\((?<inline>[^\n]+?)\\\)`;
/** As Pandoc: no space inside the dollars, and no digit behind them. */
const DOLLARS = String.raw`(?<![\\$\w])\$(?![\s$])(?<dollars>[^$\n]*?[^\s$\\])\$(?![\d$])`;
const PATTERN = new RegExp([FENCED, CODE, DISPLAY, PARENTHESES, DOLLARS].join("|"), "gm");

const MAX_CHARACTERS = 50_000;

/** True if a text may have a formula, so that KaTeX is worth being loaded. */
export function mayHaveMath(text: string): boolean {
  return text.length <= MAX_CHARACTERS && /\$|\\[([]/.test(text);
}

/** Return the text with all formulas between two dollars. */
export function normalizeMath(text: string): string {
  if (!mayHaveMath(text)) return text;
  return text.replace(PATTERN, (match, ...rest) => {
    const { display, inline, dollars } = rest.at(-1) as Record<string, string | undefined>;
    if (display !== undefined) return `\n$$\n${display.trim()}\n$$\n`;
    const formula = inline?.trim() ?? dollars;
    return formula === undefined ? match : `$$${formula}$$`;
  });
}
