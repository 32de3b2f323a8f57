/** The right pane: the output as it grows, then what it took and what was validated. */
import { CircleCheck, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, errorMessage } from "@/api/errors";
import { Button } from "@/components/button";
import { Callout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { useFormat } from "@/settings/format";
import { AttemptsTable } from "./attempts-table";
import { JsonCode } from "./json-code";
import { locationLabel, neededTokens, progressLabel, ruleLabel, summaryLine } from "./labels";
import type { Attempt, Rule, Sent } from "./request";
import type { Run } from "./use-run";

const MAX_ITEMS = 50;

type Props = {
  run: Run;
  /** The schema or the prompt was changed since. */
  earlier: string;
  onRetry: () => void;
  /** Retry with that many as max_tokens. */
  onMoreTokens: (tokens: number) => void;
};

export function ResultPane({ run, earlier, onRetry, onMoreTokens }: Props) {
  return (
    <div className="flex flex-col gap-3">
      {earlier ? (
        <p className="w-fit rounded-full bg-warning px-3 py-0.5 text-sm text-warning-foreground">
          {earlier}
        </p>
      ) : null}
      <RunState run={run} onRetry={onRetry} onMoreTokens={onMoreTokens} />
      <Output run={run} />
      <Details run={run} />
    </div>
  );
}

function RunState({ run, onRetry, onMoreTokens }: Omit<Props, "earlier">) {
  const format = useFormat();
  const { reply, state, seconds, inputs } = run;
  return (
    <div role="status">
      {state === "active" ? (
        <p className="flex items-center gap-2">
          <Spinner /> {progressLabel(run.progress, run.attempt)}
        </p>
      ) : null}
      {state === "finished" && reply !== undefined ? (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="inline-flex items-center gap-1.5 rounded-full bg-success px-3 py-0.5 text-success-foreground">
            <CircleCheck aria-hidden className="size-4" /> Valid
          </span>
          <span className="text-muted-foreground text-sm">
            {summaryLine(
              {
                name: inputs.target.name,
                attempts: reply.answers[0]?.attempts ?? [],
                seconds,
                usage: reply.usage,
              },
              format,
            )}
          </span>
          <span className="text-muted-foreground text-sm">
            Format only: the values may still be wrong
          </span>
        </div>
      ) : null}
      {state === "stopped" ? <p className="text-muted-foreground">Stopped</p> : null}
      {state === "failed" ? (
        <Failure error={run.error} onRetry={onRetry} onMoreTokens={onMoreTokens} />
      ) : null}
    </div>
  );
}

type FailureProps = { error: unknown } & Pick<Props, "onRetry" | "onMoreTokens">;

function Failure({ error, onRetry, onMoreTokens }: FailureProps) {
  const details = error instanceof ApiError ? error.details : {};
  const code = error instanceof ApiError ? error.code : "";
  const tokens = neededTokens(code, details);
  const pointer = code.startsWith("schema_") && !tokens ? details.pointer : undefined;
  return (
    <Callout
      kind="error"
      action={
        tokens === undefined ? (
          <Button size="sm" className="text-foreground" onClick={onRetry}>
            Try again
          </Button>
        ) : (
          <Button size="sm" className="text-foreground" onClick={() => onMoreTokens(tokens)}>
            Set Max tokens to {tokens.toLocaleString("en")} and retry
          </Button>
        )
      }
    >
      {errorMessage(error)}
      {typeof pointer === "string" ? (
        <span className="block">Location in the schema: {locationLabel(pointer)}.</span>
      ) : null}
    </Callout>
  );
}

function Output({ run }: { run: Run }) {
  const { reply, partial, error } = run;
  if (reply !== undefined) {
    return <JsonCode text={JSON.stringify(reply.parsed, null, 2) ?? ""} label="Output" />;
  }
  const text = error instanceof ApiError ? error.details.text : undefined;
  if (typeof text === "string" && text !== "") {
    return <JsonCode text={text} label="Last output, not valid" isColored={false} />;
  }
  if (partial === undefined) return null;
  const label = run.state === "active" ? "Output so far" : "Output, not complete";
  return <JsonCode text={JSON.stringify(partial, null, 2) ?? ""} label={label} isColored={false} />;
}

function Details({ run }: { run: Run }) {
  const failed = run.error instanceof ApiError ? run.error.details : {};
  const answer = run.reply?.answers[0];
  const attempts = answer?.attempts ?? (failed.attempts as Attempt[] | undefined) ?? [];
  const unenforced = run.reply?.unenforced ?? (failed.unenforced as Rule[] | undefined) ?? [];
  const sent = answer?.sent ?? (failed.sent as Sent | undefined);
  const mentioned = run.reply?.mentioned ?? [];
  return (
    <>
      {run.reply?.has_grammar === false ? (
        <Callout kind="warning">
          The model server does not constrain this model by a schema: only the prompt and validation
          enforce it.
        </Callout>
      ) : null}
      {mentioned.length > 0 ? (
        <List title="Mentioned in the prompt, so required" items={mentioned} />
      ) : null}
      {unenforced.length > 0 ? (
        <List
          title="Not enforced by the grammar, only validated"
          items={unenforced.map(ruleLabel)}
          icon={<TriangleAlert aria-hidden className="size-4" />}
        />
      ) : null}
      {attempts.length > 0 ? (
        <details open={attempts.length > 1}>
          <summary className="py-1 touch:py-2.5">Attempts</summary>
          <AttemptsTable attempts={attempts} />
        </details>
      ) : null}
      {sent === undefined || sent === null ? null : (
        <details>
          <summary className="py-1 touch:py-2.5">Sent to the model</summary>
          <div className="flex flex-col gap-2">
            {sent.instruction ? (
              <p className="whitespace-pre-wrap text-sm [overflow-wrap:anywhere]">
                {sent.instruction}
              </p>
            ) : null}
            <JsonCode text={JSON.stringify(sent.schema, null, 2) ?? ""} label="Narrowed schema" />
          </div>
        </details>
      )}
    </>
  );
}

type ListProps = { title: string; items: string[]; icon?: ReactNode };

function List({ title, items, icon }: ListProps) {
  const hidden = items.length - MAX_ITEMS;
  return (
    <div className="text-sm">
      <p className="flex items-center gap-1.5 text-muted-foreground">
        {icon} {title}
      </p>
      <ul className="mt-1 flex flex-wrap gap-1.5">
        {items.slice(0, MAX_ITEMS).map((item) => (
          <li key={item} className="rounded-md bg-muted px-2 py-0.5 [overflow-wrap:anywhere]">
            {item}
          </li>
        ))}
        {hidden > 0 ? <li className="px-2 py-0.5">and {hidden} more</li> : null}
      </ul>
    </div>
  );
}
