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
  [{ key: "k", ctrlKey: true }, true, "menu"],
  [{ key: "K", metaKey: true }, true, "menu"],
  [{ key: "k", ctrlKey: true, altKey: true }, false, undefined],
  [{ key: "k" }, false, undefined],
  [{ key: "O", ctrlKey: true, shiftKey: true }, true, "new-chat"],
  [{ key: "S", ctrlKey: true, shiftKey: true }, false, "sidebar"],
  [{ key: "z", ctrlKey: true }, false, "undo"],
  [{ key: "z", ctrlKey: true }, true, undefined],
  [{ key: "?", shiftKey: true }, false, "shortcuts"],
  [{ key: "?", shiftKey: true }, true, undefined],
  [{ key: "?", isComposing: true }, false, undefined],
])("%j (in a field: %s) asks for %s", (event, isInField, command) => {
  expect(commandOf({ ...NONE, ...event }, isInField)).toBe(command);
});

test("keys are named as on the keyboard", () => {
  expect([keyName("mod", false), keyName("mod", true), keyName("Shift", true)]).toEqual([
    "Ctrl",
    "⌘",
    "⇧",
  ]);
});
