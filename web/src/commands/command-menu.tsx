/** Everything by typing: a field, and the commands and chats that fit what is in it. */
import { clsx } from "clsx";
import { Check, Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { Modal } from "@/components/dialog";
import { shortcutText } from "@/routes/shortcuts";
import { type Command, matching, moved } from "./commands";
import { useChatCommands } from "./use-chat-commands";
import { useCommands } from "./use-commands";

type Props = { onClose: () => void; onShortcuts: () => void };

export function CommandMenu({ onClose, onShortcuts }: Props) {
  const [search, setSearch] = useState("");
  const [index, setIndex] = useState(0);
  const id = useId();
  const chats = useChatCommands(search);
  const commands = [...matching(useCommands(onShortcuts), search), ...chats.commands];
  const current = Math.min(index, Math.max(commands.length - 1, 0));
  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    onClose();
    // After the focus has gone back to where it was, so that a command can move it.
    setTimeout(command.run);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter") run(commands[current]);
    const next = moved(current, event.key, commands.length);
    // Home and End are the field's own as long as there is text in it.
    const isOfField = (event.key === "Home" || event.key === "End") && search !== "";
    if (next === current || isOfField) return;
    event.preventDefault();
    setIndex(next);
  };
  return (
    <Modal
      onClose={onClose}
      label="Commands"
      className="mx-auto mt-[10vh] mb-auto max-h-[80dvh] w-[min(36rem,calc(100vw-2rem))] rounded-lg border shadow-xl"
    >
      <div className="flex max-h-[80dvh] flex-col">
        <div className="relative border-b">
          <Search
            aria-hidden
            className="-translate-y-1/2 absolute start-4 top-1/2 size-4 text-muted-foreground"
          />
          <input
            // biome-ignore lint/a11y/noAutofocus: the menu was opened to type in it.
            autoFocus
            role="combobox"
            aria-label="Search chats and commands"
            aria-expanded
            aria-controls={`${id}-list`}
            aria-activedescendant={commands[current] ? `${id}-${current}` : undefined}
            aria-autocomplete="list"
            placeholder="Search chats and commands…"
            dir="auto"
            autoComplete="off"
            maxLength={200}
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              setIndex(0);
            }}
            onKeyDown={onKeyDown}
            className="w-full rounded-t-lg bg-transparent py-3 ps-11 pe-4 touch:min-h-12 placeholder:text-muted-foreground"
          />
        </div>
        <CommandList
          id={id}
          commands={commands}
          current={current}
          onSelect={setIndex}
          onRun={run}
        />
        <p
          role="status"
          className="px-4 text-muted-foreground text-sm empty:hidden [&:not(:empty)]:py-3"
        >
          {chats.message ?? (commands.length === 0 ? "Nothing found" : null)}
        </p>
      </div>
    </Modal>
  );
}

type ListProps = {
  id: string;
  commands: readonly Command[];
  current: number;
  onSelect: (index: number) => void;
  onRun: (command: Command) => void;
};

function CommandList({ id, commands, current, onSelect, onRun }: ListProps) {
  const groups = [...new Set(commands.map(({ group }) => group))];
  return (
    <div
      id={`${id}-list`}
      role="listbox"
      aria-label="Chats and commands"
      className="min-h-0 overflow-y-auto p-1.5 empty:p-0"
    >
      {groups.map((group) => (
        // biome-ignore lint/a11y/useSemanticElements: a listbox has groups, not fieldsets.
        <div key={group} role="group" aria-label={group}>
          <div aria-hidden className="px-2.5 pt-2 pb-1 text-muted-foreground text-xs">
            {group}
          </div>
          {commands.map((command, index) =>
            command.group === group ? (
              <Option
                key={command.id}
                id={`${id}-${index}`}
                command={command}
                isSelected={index === current}
                onSelect={() => onSelect(index)}
                onRun={() => onRun(command)}
              />
            ) : null,
          )}
        </div>
      ))}
    </div>
  );
}

type OptionProps = {
  id: string;
  command: Command;
  isSelected: boolean;
  onSelect: () => void;
  onRun: () => void;
};

function Option({ id, command, isSelected, onSelect, onRun }: OptionProps) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isSelected) ref.current?.scrollIntoView({ block: "nearest" });
  }, [isSelected]);
  const { name, detail, keys, isCurrent } = command;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's, which has the focus.
    // biome-ignore lint/a11y/useFocusableInteractive: so is the focus.
    <div
      ref={ref}
      id={id}
      role="option"
      aria-selected={isSelected}
      onPointerMove={isSelected ? undefined : onSelect}
      onClick={onRun}
      className={clsx(
        "flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 touch:min-h-11",
        isSelected && "bg-muted",
      )}
    >
      <span className="min-w-0 flex-1">
        <span dir="auto" className="block truncate">
          {name}
        </span>
        {detail ? (
          <span dir="auto" className="block truncate text-muted-foreground text-sm">
            {detail}
          </span>
        ) : null}
      </span>
      {isCurrent ? <Check role="img" aria-label="Current" className="size-4 text-ember" /> : null}
      {keys ? <kbd className="text-muted-foreground text-sm">{shortcutText(keys)}</kbd> : null}
    </div>
  );
}
