/** The page's keys: what they do, and how they are written on this computer. */

export type Shortcut = {
  /** `mod` is Ctrl, or Cmd on a Mac. */
  keys: readonly string[];
  does: string;
};

export type ShortcutGroup = { name: string; shortcuts: readonly Shortcut[] };

export const SHORTCUTS: readonly ShortcutGroup[] = [
  {
    name: "Everywhere",
    shortcuts: [
      { keys: ["mod", "K"], does: "Search chats and commands" },
      { keys: ["mod", "Shift", "O"], does: "New chat" },
      { keys: ["mod", "Shift", "S"], does: "Open or close the sidebar" },
      { keys: ["mod", "Z"], does: "Undo deleting a chat, while that is offered" },
      { keys: ["?"], does: "Keyboard shortcuts" },
    ],
  },
  {
    name: "List of chats",
    shortcuts: [
      { keys: ["↑"], does: "Previous chat" },
      { keys: ["↓"], does: "Next chat" },
      { keys: ["F2"], does: "Rename" },
      { keys: ["Delete"], does: "Delete" },
    ],
  },
];

const IS_APPLE = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

/** Return a key as it is written on this computer's keyboard. */
export function keyName(key: string, isApple = IS_APPLE): string {
  if (key === "mod") return isApple ? "⌘" : "Ctrl";
  return isApple && key === "Shift" ? "⇧" : key;
}

export function shortcutText(keys: readonly string[]): string {
  return keys.map((key) => keyName(key)).join(IS_APPLE ? "" : "+");
}

type Pressed = Pick<
  KeyboardEvent,
  "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey" | "isComposing"
>;

export type Command = "menu" | "new-chat" | "sidebar" | "undo" | "shortcuts";

const COMMANDS: Record<string, Command> = {
  "mod+k": "menu",
  "mod+shift+o": "new-chat",
  "mod+shift+s": "sidebar",
  "mod+z": "undo",
  "?": "shortcuts",
};

/** Return what a key asks for anywhere in the page, or in a field with this text. */
export function commandOf(event: Pressed, fieldText?: string): Command | undefined {
  if (event.isComposing || event.altKey) return undefined;
  const key = event.key.toLowerCase();
  const isMod = event.ctrlKey || event.metaKey;
  const shift = event.shiftKey ? "shift+" : "";
  // Without Ctrl, Shift is part of the character.
  const command = COMMANDS[isMod ? `mod+${shift}${key}` : key];
  return isOfField(command, fieldText) ? undefined : command;
}

/** Return true for a key that the field has its own use for. */
function isOfField(command: Command | undefined, text: string | undefined): boolean {
  if (text === undefined) return false;
  // An empty field has nothing to undo.
  return command === "shortcuts" || (command === "undo" && text !== "");
}
