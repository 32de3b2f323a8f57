/** Which commands fit what was typed, and in what order. */

export type Command = {
  id: string;
  group: string;
  name: string;
  /** Other words for it. */
  words?: string;
  /** Text below the name, such as where a chat has what was searched for. */
  detail?: string | undefined;
  keys?: readonly string[];
  /** True for a choice that is in effect. */
  isCurrent?: boolean;
  run: () => void;
};

/** Return the commands that have all words of `search`, the best first within each group. */
export function matching(commands: readonly Command[], search: string): Command[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = commands.filter((command) => {
    const text = textOf(command);
    return words.every((word) => text.includes(word));
  });
  const first = words[0];
  if (first === undefined) return fitting;
  const isBetter = (command: Command) => (command.name.toLowerCase().startsWith(first) ? 0 : 1);
  const groups = [...new Set(fitting.map(({ group }) => group))];
  return groups.flatMap((group) =>
    fitting
      .filter((command) => command.group === group)
      .sort((one, other) => isBetter(one) - isBetter(other)),
  );
}

/** Return the position after a key of the list; it goes round. */
export function moved(index: number, key: string, count: number): number {
  if (count === 0) return 0;
  if (key === "ArrowDown") return (index + 1) % count;
  if (key === "ArrowUp") return (index - 1 + count) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : index;
}

function textOf({ group, name, words = "" }: Command): string {
  return `${group} ${name} ${words}`.toLowerCase();
}
