/** What each attempt at an output took, and what was wrong with it. */
import { useFormat } from "@/settings/format";
import { attemptErrors, attemptSeconds } from "./labels";
import type { Attempt } from "./request";

export function AttemptsTable({ attempts }: { attempts: Attempt[] }) {
  const format = useFormat();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled by keys, too.
    <section className="overflow-x-auto" tabIndex={0} aria-label="Attempts">
      <table className="w-full text-sm [&_td]:border-t [&_td]:py-1.5 [&_td]:pe-4 [&_th]:pe-4 [&_th]:text-start [&_th]:font-normal [&_th]:text-muted-foreground">
        <thead>
          <tr>
            <th>No.</th>
            <th>Finish reason</th>
            <th>Narrowing</th>
            <th>Errors</th>
            <th>Tokens</th>
            <th>Time (s)</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: attempts are only added at the end.
            <tr key={index} className="align-top">
              <td>{index + 1}</td>
              <td>{attempt.finish_reason ?? "unknown"}</td>
              <td>level {attempt.level}</td>
              <td className="[overflow-wrap:anywhere]" title={attempt.errors[0]?.message}>
                {attemptErrors(attempt)}
              </td>
              <td>{format.number(attempt.usage?.completion_tokens)}</td>
              <td>{attemptSeconds(attempt, format)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
