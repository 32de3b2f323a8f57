/** What an answer waits for, and how fast it is written. */
import { useEffect, useState } from "react";
import { Spinner } from "@/components/spinner";
import type { AnswerModel } from "../thread/rows";
import { type LiveAnswer, liveSpeed } from "./live-answer";

const TICK_MS = 500;

export function ProgressLine({ answer }: { answer: AnswerModel }) {
  const { live } = answer;
  const now = useNow();
  if (live === undefined) return <Spinner label="Writing" />;
  if (live.state === "waiting") return <Waiting live={live} now={now} />;
  const speed = liveSpeed(live, now);
  return (
    <p className="mt-2 flex min-h-5 items-center gap-3 font-mono text-muted-foreground text-xs">
      <span aria-hidden className="size-2 rounded-full bg-primary" />
      {live.chunks} tokens{speed === undefined ? "" : ` · ${speed.toFixed(1)} tokens/s`}
    </p>
  );
}

function Waiting({ live, now }: { live: LiveAnswer; now: number }) {
  const seconds = (now - live.startedAt) / 1000;
  return (
    <div className="flex flex-col gap-1.5">
      <Spinner label={phaseLabel(live)} />
      {live.progress?.fraction ? (
        <progress value={live.progress.fraction} aria-label="Prompt processing" className="w-48" />
      ) : null}
      {seconds > 2 ? (
        <span className="font-mono text-muted-foreground text-xs">{seconds.toFixed(0)} s</span>
      ) : null}
    </div>
  );
}

function phaseLabel({ progress }: LiveAnswer): string {
  switch (progress?.phase) {
    case "waiting":
      return progress.position ? `Waiting, ${progress.position} ahead` : "Waiting";
    case "loading":
      return "Loading the model";
    case "reading":
      return "Processing the prompt";
    case "summarising":
      return `Summarizing part ${progress.part ?? "?"} of ${progress.parts ?? "?"}`;
    default:
      return "Thinking";
  }
}

function useNow(): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
