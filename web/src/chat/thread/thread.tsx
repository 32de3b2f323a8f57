/** The messages of a chat: only those in view are in the page, and the view follows an answer. */
import { ArrowDown } from "lucide-react";
import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import { Button } from "@/components/button";
import { AnswersView } from "../answer/answers-view";
import { useChat } from "../chat-context";
import type { Conversation } from "../types";
import { useSession } from "../use-session";
import { QuestionView } from "./question-view";
import { type Row, storedRows, turnRows } from "./rows";

/** So near to its end, the view follows what is added. */
const NEAR_PX = 60;
/** Where a row that was not seen yet is expected to end. */
const ROW_PX = 220;

export default function Thread({ chat }: { chat: Conversation }) {
  const { session } = useChat();
  const { turn, followed, compared } = useSession(session, (snapshot) => snapshot);
  const leaf = turn === undefined ? chat.current : turn.base;
  const stored = useMemo(
    () => storedRows(chat, leaf, { ...session.memory, compared, followed }),
    [chat, leaf, compared, followed, session],
  );
  const rows = useMemo(() => (turn ? [...stored, ...turnRows(turn)] : stored), [stored, turn]);
  const { scroller, content, handle, isFollowing, follow } = useFollowing(
    rows,
    turn?.entries[0]?.key,
  );
  return (
    <div className="relative min-h-0 flex-1">
      <h2 className="sr-only">Messages</h2>
      <div
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the chat is scrolled by keys, too.
        tabIndex={0}
        role="log"
        aria-label="Messages"
        aria-live="off"
        className="h-full overflow-y-auto overscroll-contain [overflow-anchor:none]"
      >
        <div ref={content} className="pt-4">
          <Virtualizer ref={handle} scrollRef={scroller} itemSize={ROW_PX} startMargin={16}>
            {rows.map((row) => (
              <div key={row.key} className="px-4 pb-6">
                <RowView row={row} />
              </div>
            ))}
          </Virtualizer>
        </div>
      </div>
      {isFollowing ? null : (
        <Button
          size="sm"
          onClick={follow}
          className="-translate-x-1/2 absolute bottom-2 left-1/2 bg-popover shadow-md"
        >
          <ArrowDown />
          Jump to latest
        </Button>
      )}
    </div>
  );
}

const RowView = memo(function RowView({ row }: { row: Row }) {
  const { actions } = useChat();
  switch (row.kind) {
    case "question":
      return (
        <div className="mx-auto w-full max-w-3xl">
          <QuestionView row={row} />
        </div>
      );
    case "answers":
      return <AnswersView row={row} />;
    case "divider":
      return (
        <div className="mx-auto flex max-w-3xl items-center gap-3 text-muted-foreground text-sm">
          <span className="h-px flex-1 bg-border" />
          Earlier messages are no longer in context
          <Button size="sm" variant="ghost" onClick={() => actions.sendFrom(null)}>
            Use them again
          </Button>
          <span className="h-px flex-1 bg-border" />
        </div>
      );
  }
});

/** Keep the end in view until the person scrolls away from it. */
function useFollowing(rows: Row[], turnKey: string | undefined) {
  const count = rows.length;
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const handle = useRef<VirtualizerHandle>(null);
  const [isFollowing, setFollowing] = useState(true);
  const following = useRef(true);

  const setBoth = useCallback((value: boolean) => {
    following.current = value;
    setFollowing(value);
  }, []);
  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, []);
  const follow = useCallback(() => {
    setBoth(true);
    if (count > 0) handle.current?.scrollToIndex(count - 1, { align: "end" });
    toEnd();
  }, [count, setBoth, toEnd]);

  // A chat opens at its end, and what was just sent is in view.
  const hasOpened = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn is what it waits for.
  useLayoutEffect(() => {
    if (turnKey !== undefined || !hasOpened.current) follow();
    hasOpened.current = true;
  }, [turnKey]);

  // Before anything is drawn, so that the end of an answer that grows stays where it is.
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are what grows.
  useLayoutEffect(() => {
    if (following.current) toEnd();
  }, [rows]);

  useEffect(() => {
    const element = scroller.current;
    const inner = content.current;
    if (element === null || inner === null) return;
    let top = element.scrollTop;
    const onScroll = () => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      const isUp = element.scrollTop < top - 1;
      top = element.scrollTop;
      if (distance < NEAR_PX) setBoth(true);
      // Only a person scrolls up; rows that are measured move the end away.
      else if (isUp) setBoth(false);
    };
    const observer = new ResizeObserver(() => {
      if (following.current) toEnd();
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(inner);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [setBoth, toEnd]);

  return { scroller, content, handle, isFollowing, follow };
}
