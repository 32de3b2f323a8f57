/** How often each method returns valid output, with its interval. */
import { Download } from "lucide-react";
import { saveText } from "@/api/download";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";

import { UNKNOWN, useFormat } from "@/settings/format";
import { MAX_TOKENS, type Score, scores, toCsv, toJson } from "./benchmark";
import type { Benchmark } from "./use-benchmark";

type Props = { benchmark: Benchmark; onRetry: () => void };

export function BenchmarkPane({ benchmark, onRetry }: Props) {
  const { plan, trials, state } = benchmark;
  const planned = plan.repetitions * plan.methods.length;
  const next = plan.methods[trials.length % plan.methods.length];
  return (
    <div className="flex flex-col gap-3">
      {state === "failed" ? <ErrorCallout error={benchmark.error} onRetry={onRetry} /> : null}
      <div className="flex flex-col gap-1">
        <progress
          value={trials.length}
          max={planned}
          aria-label="Trials"
          className="h-2 w-full accent-(--primary)"
        />
        <p className="text-muted-foreground text-sm">
          {state === "stopped" ? "Stopped after " : null}
          {trials.length} of {planned}
          {state === "active" ? ` · running ${next}…` : null}
        </p>
      </div>
      {trials.length > 0 ? <ScoreTable results={scores(trials)} /> : null}
      {state !== "active" && trials.length > 0 ? (
        <div className="flex flex-wrap gap-2">
          <Button
            size="sm"
            onClick={() =>
              saveText(
                "benchmark.json",
                toJson(plan.inputs, plan.methods, trials),
                "application/json",
              )
            }
          >
            <Download /> Download JSON
          </Button>
          <Button size="sm" onClick={() => saveText("benchmark.csv", toCsv(trials), "text/csv")}>
            <Download /> Download CSV
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function ScoreTable({ results }: { results: Score[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled by keys, too.
    <section className="overflow-x-auto" tabIndex={0} aria-label="Benchmark results">
      <table className="w-full min-w-lg text-sm [&_td]:border-t [&_td]:py-2 [&_td]:pe-4 [&_th]:pe-4 [&_th]:text-start [&_th]:font-normal [&_th]:text-muted-foreground">
        <thead>
          <tr>
            <th>Method</th>
            <th>Valid</th>
            <th className="w-1/4">95% interval</th>
            <th>Truncated</th>
            <th>Median time (s)</th>
          </tr>
        </thead>
        <tbody>
          {results.map((score) => (
            <ScoreRow key={score.method} score={score} />
          ))}
        </tbody>
      </table>
      <ul className="mt-3 text-muted-foreground text-sm">
        {results
          .filter(({ fault }) => fault !== "")
          .map(({ method, fault }) => (
            <li key={method} className="[overflow-wrap:anywhere]">
              Most frequent error of {method}: {fault.slice(0, 120)}
            </li>
          ))}
      </ul>
    </section>
  );
}

function ScoreRow({ score }: { score: Score }) {
  const format = useFormat();
  const percent = (share: number) => `${Math.round(100 * share)}%`;
  const seconds = score.medianSeconds;
  return (
    <tr className="align-top">
      <td>{score.method}</td>
      <td>
        {percent(score.valid / score.trials)} of {score.trials}
      </td>
      <td>
        <span aria-hidden className="relative mb-1 block h-2 rounded-full bg-muted">
          <span
            className="absolute inset-y-0 rounded-full bg-primary"
            style={{ left: percent(score.low), right: percent(1 - score.high) }}
          />
        </span>
        {percent(score.low)} to {percent(score.high)}
      </td>
      <td>{percent(score.truncated / score.trials)}</td>
      <td>{seconds === undefined ? UNKNOWN : format.number(seconds)}</td>
    </tr>
  );
}

export function AboutMethods() {
  return (
    <details className="text-sm">
      <summary className="py-1 touch:py-2.5">About the methods</summary>
      <p>
        All methods use the same prompt and parameters, and at most {MAX_TOKENS} tokens unless you
        set Max tokens.
      </p>
      <dl className="mt-2 grid gap-x-4 gap-y-1 sm:grid-cols-[auto_1fr] [&_dt]:font-medium">
        <dt>free text</dt>
        <dd>The schema is only in the prompt. Nothing enforces it.</dd>
        <dt>json_object</dt>
        <dd>The same prompt, and the model server is asked for any JSON.</dd>
        <dt>json_schema</dt>
        <dd>The model server gets the schema unchanged.</dd>
        <dt>SmolChat</dt>
        <dd>
          An outline of the schema in the prompt and a narrowed schema for the model server. Output
          is validated, and generated again if it is invalid.
        </dd>
      </dl>
      <p className="mt-2">
        All output is validated against the full schema; a code fence around the JSON is ignored.
        The median time is that of valid responses, including retries. The interval contains the
        true share with 95% confidence (Wilson): the fewer runs, the wider it is.
      </p>
    </details>
  );
}
