import { expect, test } from "vitest";
import { commandOf, keyName } from "./shortcuts";

const NONE = {
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  isComposing: false,
};

test.each([
  [{ key: "k", ctrlKey: true }, "a", "menu"],
  [{ key: "K", metaKey: true }, "a", "menu"],
  [{ key: "k", ctrlKey: true, altKey: true }, undefined, undefined],
  [{ key: "k" }, undefined, undefined],
  [{ key: "O", ctrlKey: true, shiftKey: true }, "a", "new-chat"],
  [{ key: "S", ctrlKey: true, shiftKey: true }, undefined, "sidebar"],
  [{ key: "z", ctrlKey: true }, undefined, "undo"],
  [{ key: "z", ctrlKey: true }, "", "undo"],
  [{ key: "z", ctrlKey: true }, "a", undefined],
  [{ key: "?", shiftKey: true }, undefined, "shortcuts"],
  [{ key: "?", shiftKey: true }, "", undefined],
  [{ key: "?", isComposing: true }, undefined, undefined],
])("%j (in a field with: %s) asks for %s", (event, fieldText, command) => {
  expect(commandOf({ ...NONE, ...event }, fieldText)).toBe(command);
});

test("keys are named as on the keyboard", () => {
  expect([keyName("mod", false), keyName("mod", true), keyName("Shift", true)]).toEqual([
    "Ctrl",
    "⌘",
    "⇧",
  ]);
});
