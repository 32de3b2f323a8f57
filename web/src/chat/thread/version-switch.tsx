/** Goes through the versions of a message: 2/3. */
import { ChevronLeft, ChevronRight } from "lucide-react";
import { IconButton } from "@/components/icon-button";
import { useChat } from "../chat-context";
import type { Message } from "../types";

type Props = { versions: Message[]; index: number };

export function VersionSwitch({ versions, index }: Props) {
  const { actions } = useChat();
  if (versions.length < 2) return null;
  const previous = versions[index - 1];
  const next = versions[index + 1];
  return (
    // biome-ignore lint/a11y/useSemanticElements: three controls are no fieldset of a form.
    <div
      role="group"
      aria-label="Versions"
      className="flex items-center"
      onKeyDown={(event) => {
        const target = { ArrowLeft: previous, ArrowRight: next }[event.key];
        if (target !== undefined) void actions.select(target);
      }}
    >
      <IconButton
        label="Previous version"
        shortcut="←"
        aria-disabled={previous === undefined}
        onClick={() => previous && actions.select(previous)}
      >
        <ChevronLeft />
      </IconButton>
      <span className="font-mono text-xs tabular-nums">
        {index + 1}/{versions.length}
      </span>
      <IconButton
        label="Next version"
        shortcut="→"
        aria-disabled={next === undefined}
        onClick={() => next && actions.select(next)}
      >
        <ChevronRight />
      </IconButton>
    </div>
  );
}
