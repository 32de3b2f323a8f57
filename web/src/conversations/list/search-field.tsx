/** The field that searches chats while it is typed in. */
import { Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useState } from "react";
import { FIELD } from "@/components/input";

const PAUSE_MS = 200;
const MAX_LENGTH = 200;

type Props = {
  /** Called with what is searched for, without blanks around it; empty for nothing. */
  onSearch: (search: string) => void;
  /** The down key: into the list. */
  onDown: () => void;
};

export function SearchField({ onSearch, onDown }: Props) {
  const [text, setText] = useState("");
  const wanted = text.trim();
  useEffect(() => {
    const timer = setTimeout(() => onSearch(wanted), wanted === "" ? 0 : PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted, onSearch]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      onDown();
    }
    if (event.key === "Escape" && text !== "") {
      event.preventDefault(); // A drawer would close.
      setText("");
    }
  };
  return (
    <div className="relative px-3 pb-2">
      <Search
        aria-hidden
        className="-translate-y-1/2 absolute start-6 top-[calc(50%-0.25rem)] size-4 text-muted-foreground"
      />
      <input
        type="search"
        aria-label="Search chats"
        placeholder="Search chats"
        dir="auto"
        autoComplete="off"
        maxLength={MAX_LENGTH}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className={`${FIELD} ps-9`}
      />
    </div>
  );
}
