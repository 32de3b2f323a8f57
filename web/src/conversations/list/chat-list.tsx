/** The list of stored chats: what a search has found, or pinned chats, folders and days. */
import { type KeyboardEvent, useRef, useState } from "react";
import { useActiveChats } from "../active-chats";
import { DayList } from "./day-list";
import { FolderSection } from "./folder-section";
import { PinnedSection } from "./pinned-section";
import { SearchField } from "./search-field";
import { SearchResults } from "./search-results";

export function ChatList() {
  useActiveChats();
  const [search, setSearch] = useState("");
  const scroller = useRef<HTMLElement>(null);
  return (
    <>
      <SearchField onSearch={setSearch} onDown={() => moveFocus(scroller.current, 1)} />
      <nav
        ref={scroller}
        aria-label="Chats"
        className="min-h-0 flex-1 overflow-y-auto px-3 pb-3"
        onKeyDown={onArrow}
      >
        {search === "" ? (
          <DayList scroller={scroller}>
            <PinnedSection />
            <FolderSection />
          </DayList>
        ) : (
          <SearchResults search={search} scroller={scroller} />
        )}
      </nav>
    </>
  );
}

/** Arrow keys go from chat to chat; the menus in between are reached by Tab. */
function onArrow(event: KeyboardEvent<HTMLElement>): void {
  const isField = event.target instanceof HTMLInputElement;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  // Also the keys of a menu, which is elsewhere in the page, come here.
  if (step === undefined || isField || !event.currentTarget.contains(event.target as Node)) return;
  event.preventDefault();
  moveFocus(event.currentTarget, step);
}

function moveFocus(list: HTMLElement | null, step: number): void {
  const links = [...(list?.querySelectorAll<HTMLElement>("[data-chat-link], [data-folder]") ?? [])];
  const row = document.activeElement?.closest("li");
  const index = links.findIndex((link) => row?.contains(link));
  const next = index < 0 ? links[step > 0 ? 0 : links.length - 1] : links[index + step];
  next?.focus();
}
