import { expect, test } from "vitest";
import { type Command, matching, moved } from "./commands";

const COMMANDS: Command[] = [
  { id: "new", group: "Actions", name: "New chat", run: () => undefined },
  {
    id: "temporary",
    group: "Actions",
    name: "Temporary chat",
    words: "private",
    run: () => undefined,
  },
  { id: "dark", group: "Theme", name: "Dark", run: () => undefined },
  { id: "chat", group: "Theme", name: "Chatty", run: () => undefined },
];

test.each([
  ["", ["new", "temporary", "dark", "chat"]],
  ["chat", ["new", "temporary", "chat"]],
  ["TEMP", ["temporary"]],
  ["private  chat", ["temporary"]],
  ["theme d", ["dark"]],
  ["t", ["temporary", "new", "dark", "chat"]],
  ["nothing like it", []],
])("%j finds %j", (search, ids) => {
  expect(matching(COMMANDS, search).map(({ id }) => id)).toEqual(ids);
});

test.each([
  [0, "ArrowDown", 3, 1],
  [2, "ArrowDown", 3, 0],
  [0, "ArrowUp", 3, 2],
  [2, "Home", 3, 0],
  [0, "End", 3, 2],
  [1, "a", 3, 1],
  [5, "ArrowDown", 0, 0],
])("from %i, %s of %i leads to %i", (index, key, count, next) => {
  expect(moved(index, key, count)).toBe(next);
});
