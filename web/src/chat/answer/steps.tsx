/** The calls of tools in an answer: each with its arguments and result, and approval in its place. */
import { clsx } from "clsx";
import { Check, CircleSlash, Clock3, LoaderCircle, TriangleAlert, Wrench } from "lucide-react";
import { type ReactNode, useState } from "react";
import { call } from "@/api/client";
import { errorMessage } from "@/api/errors";
import { queryClient } from "@/api/query-client";
import { Button } from "@/components/button";
import { toolList } from "@/tools/queries";
import { useChat } from "../chat-context";
import { lastOf } from "../items";
import type { AnswerModel } from "../thread/rows";
import type { Step } from "../types";

const STATES: Record<Step["state"], { text: string; icon: ReactNode }> = {
  running: { text: "running", icon: <LoaderCircle aria-hidden className="animate-spin" /> },
  awaiting_approval: { text: "waits for approval", icon: <Clock3 aria-hidden /> },
  finished: { text: "finished", icon: <Check aria-hidden /> },
  failed: { text: "failed", icon: <TriangleAlert aria-hidden /> },
  denied: { text: "not allowed", icon: <CircleSlash aria-hidden /> },
  interrupted: { text: "interrupted", icon: <CircleSlash aria-hidden /> },
};

type Decision = "allow" | "deny" | { arguments: unknown };

/** The steps of one round. Once there is a decision on each that waits, the answer goes on. */
export function Steps({ steps, answer }: { steps: Step[]; answer: AnswerModel }) {
  const { session } = useChat();
  const [decisions, setDecisions] = useState<Record<string, Decision>>({});
  const isLast = answer.rounds.at(-1)?.steps === steps;
  const waiting = isLast ? steps.filter(({ state }) => state === "awaiting_approval") : [];
  const { item } = answer;
  const canDecide = item !== undefined && waiting.length > 0;
  const decide = (step: Step, decision: Decision) => {
    const next = { ...decisions, [step.id]: decision };
    setDecisions(next);
    if (item !== undefined && waiting.every(({ id }) => next[id] !== undefined)) {
      session.continueSteps(item.messages, next);
    }
  };
  return (
    <ol className="my-3 flex flex-col gap-2" aria-label="Steps">
      {steps.map((step) => (
        <li key={step.id} className="rounded-md border bg-card px-3 py-2">
          <StepView step={step} />
          {canDecide && step.state === "awaiting_approval" && decisions[step.id] === undefined ? (
            <Approval step={step} onDecide={(decision) => decide(step, decision)} />
          ) : null}
        </li>
      ))}
    </ol>
  );
}

function StepView({ step }: { step: Step }) {
  const { text, icon } = STATES[step.state];
  const isFailed = step.state === "failed";
  const time = step.milliseconds === undefined ? "" : ` · ${formatTime(step.milliseconds)}`;
  return (
    <details>
      <summary className="flex flex-wrap items-center gap-2 touch:min-h-11 [&_svg]:size-4">
        <Wrench aria-hidden className="text-muted-foreground" />
        <span className="font-medium">{step.tool}</span>
        <span
          className={clsx(
            "flex items-center gap-1.5 text-sm",
            isFailed ? "text-destructive-foreground" : "text-muted-foreground",
          )}
        >
          {icon}
          {text}
          {time}
        </span>
      </summary>
      <dl className="mt-2 flex flex-col gap-2 text-sm">
        <Value name="Arguments" text={argumentsText(step.arguments)} />
        {step.result ? <Value name="Result" text={step.result} /> : null}
        {step.error ? <Value name="Error" text={step.error} /> : null}
        {step.strategy ? <Value name="Called by" text={step.strategy} /> : null}
      </dl>
    </details>
  );
}

function Value({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="max-h-60 overflow-auto whitespace-pre-wrap font-mono text-xs [overflow-wrap:anywhere]">
        {text}
      </dd>
    </div>
  );
}

function Approval({ step, onDecide }: { step: Step; onDecide: (decision: Decision) => void }) {
  const original = argumentsText(step.arguments);
  const [text, setText] = useState(original);
  const [problem, setProblem] = useState<string>();
  const allow = () => {
    const edited = editedArguments(text);
    if (typeof edited === "string") setProblem(edited);
    else onDecide(text === original ? "allow" : edited);
  };
  const allowAlways = async () => {
    try {
      await call("patch", "/tools/{name}", {
        path: { name: step.tool },
        body: { approval: "always" },
      });
      void queryClient.invalidateQueries({ queryKey: toolList.queryKey });
      allow();
    } catch (error) {
      setProblem(errorMessage(error));
    }
  };
  return (
    <div className="mt-2 flex flex-col gap-2">
      <label className="flex flex-col gap-1 text-sm">
        The model wants to call {step.tool} with
        <textarea
          value={text}
          onChange={(event) => setText(event.target.value)}
          aria-invalid={problem !== undefined}
          spellCheck={false}
          rows={Math.min(8, text.split("\n").length)}
          className="w-full rounded-md border border-input bg-background p-2 font-mono text-xs"
        />
      </label>
      {problem === undefined ? null : (
        <p role="alert" className="text-destructive-foreground text-sm">
          {problem}
        </p>
      )}
      <div className="flex flex-wrap gap-2">
        <Button variant="primary" size="sm" onClick={allow}>
          Allow once
        </Button>
        <Button size="sm" onClick={allowAlways}>
          Always allow
        </Button>
        <Button size="sm" onClick={() => onDecide("deny")}>
          Deny
        </Button>
      </div>
    </div>
  );
}

/** Buttons of an answer that ended on steps: the model can go on from their results. */
export function ContinueSteps({ answer }: { answer: AnswerModel }) {
  const { session } = useChat();
  const { item } = answer;
  const steps = answer.rounds.at(-1)?.steps ?? [];
  const isWaiting = steps.some(({ state }) => state === "awaiting_approval" || state === "running");
  if (item === undefined || lastOf(item).role !== "tool" || isWaiting) return null;
  const failed = steps.filter(({ state }) => state === "failed" || state === "interrupted");
  const retry = () =>
    session.continueSteps(
      item.messages,
      Object.fromEntries(failed.map(({ id }) => [id, "allow" as const])),
    );
  return (
    <div className="flex gap-2">
      <Button size="sm" onClick={() => session.continueSteps(item.messages, {})}>
        Continue
      </Button>
      {failed.length > 0 ? (
        <Button size="sm" onClick={retry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

function argumentsText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? {}, null, 2);
}

/** Return edited arguments, or what is wrong with them. */
function editedArguments(text: string): { arguments: object } | string {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject
      ? { arguments: value }
      : 'Arguments are a JSON object, such as {"name": "value"}.';
  } catch (error) {
    return `Invalid JSON: ${errorMessage(error)}`;
  }
}

function formatTime(milliseconds: number): string {
  return milliseconds < 1000
    ? `${milliseconds.toFixed(0)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
