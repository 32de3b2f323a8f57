import { expect, test } from "vitest";
import { nextMarks } from "./active-chats";

test("a chat is marked while it is answered, and then until it is opened", () => {
  const writing = nextMarks(
    new Map(),
    [
      { id: "a", active: true },
      { id: "b", active: false },
    ],
    "a",
  );
  expect([...writing]).toEqual([["a", "active"]]);
  const ended = [{ id: "a", active: false }];
  expect([...nextMarks(writing, ended, "b")]).toEqual([["a", "answered"]]);
  expect([...nextMarks(writing, ended, "a")]).toEqual([]);
  const answered = nextMarks(writing, ended, undefined);
  expect([...nextMarks(answered, ended, undefined)]).toEqual([["a", "answered"]]);
  expect([...nextMarks(answered, ended, "a")]).toEqual([]);
  expect([...nextMarks(answered, [], undefined)]).toEqual([]);
});
