/** What an answer waits for, and how fast it is written. */
import { useEffect, useState } from "react";
import { Spinner } from "@/components/spinner";
import type { AnswerModel } from "../thread/rows";
import { type LiveAnswer, liveSpeed } from "./live-answer";

const TICK_MS = 500;

export function ProgressLine({ answer }: { answer: AnswerModel }) {
  const { live } = answer;
  if (live === undefined) return <Spinner label="Writing" />;
  if (live.state === "waiting") return <Waiting live={live} />;
  return <Writing live={live} />;
}

function Writing({ live }: { live: LiveAnswer }) {
  const [shown, setShown] = useState(() => figures(live));
  // They change so seldom that they can be read.
  if (performance.now() - shown.at > TICK_MS) setShown(figures(live));
  const { chunks, speed } = shown;
  return (
    // No wider than its text: each line that is written above it moves it.
    <p className="mt-2 flex min-h-5 w-fit items-center gap-3 font-mono text-muted-foreground text-xs">
      <span aria-hidden className="size-2 rounded-full bg-primary" />
      {chunks} tokens{speed === undefined ? "" : ` · ${speed.toFixed(1)} tokens/s`}
    </p>
  );
}

function figures(live: LiveAnswer) {
  const at = performance.now();
  return { at, chunks: live.chunks, speed: liveSpeed(live, at) };
}

function Waiting({ live }: { live: LiveAnswer }) {
  const seconds = (useNow() - live.startedAt) / 1000;
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
