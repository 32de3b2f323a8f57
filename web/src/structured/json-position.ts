/** Where JSON is wrong: browsers do not always report it. */

const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: strings must not have them.
  /[ \t\r\n]+|[{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** What may come next: a value, a name, `:`, or what is after a value; and an end at once. */
type Expected = "value" | "value or ]" | "name" | "name or }" | ":" | "after";

/** Return the position of the first token that JSON does not allow; its length if more is missing. */
export function errorPosition(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  let position = 0;
  while (position < text.length) {
    TOKEN.lastIndex = position;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return position;
    if (token.trim() !== "") {
      const next = accept(token, expected, open);
      if (next === undefined) return position;
      expected = next;
    }
    position += token.length;
  }
  return position;
}

function accept(token: string, expected: Expected, open: ("{" | "[")[]): Expected | undefined {
  switch (token) {
    case "}":
    case "]":
      return close(token, expected, open);
    case ":":
      return expected === ":" ? "value" : undefined;
    case ",":
      return expected === "after" ? afterComma(open.at(-1)) : undefined;
    default:
      return acceptValue(token, expected, open);
  }
}

function afterComma(opener: "{" | "[" | undefined): Expected | undefined {
  if (opener === undefined) return undefined;
  return opener === "{" ? "name" : "value";
}

function acceptValue(token: string, expected: Expected, open: ("{" | "[")[]): Expected | undefined {
  if (expected.startsWith("name")) return token.startsWith('"') ? ":" : undefined;
  if (!expected.startsWith("value")) return undefined;
  if (token !== "{" && token !== "[") return "after";
  open.push(token);
  return token === "{" ? "name or }" : "value or ]";
}

function close(token: "}" | "]", expected: Expected, open: ("{" | "[")[]): Expected | undefined {
  const [opener, empty] = token === "}" ? ["{", "name or }"] : ["[", "value or ]"];
  const isAllowed = expected === "after" || expected === empty;
  return isAllowed && open.pop() === opener ? "after" : undefined;
}
