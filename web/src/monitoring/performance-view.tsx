/** How fast the last answers were: medians, a bar for each answer, and a table. */
import { useFormat } from "@/settings/format";
import { median, type Speed, speeds } from "./performance";
import type { Status } from "./queries";

const WIDTH = 300;
const HEIGHT = 90;
/** Of a bar's share of the width. */
const BAR = 0.75;

export function Performance({ recent }: { recent: NonNullable<Status["recent"]> }) {
  const format = useFormat();
  const results = speeds(recent);
  if (results.length === 0) return <p className="text-muted-foreground">No stored answers yet</p>;
  return (
    <>
      <div className="grid gap-4 sm:grid-cols-2">
        <Chart
          title="Median generation speed"
          unit="tokens/s"
          values={results.map(({ tokensPerSecond }) => tokensPerSecond)}
        />
        <Chart
          title="Median time to first token"
          unit="s"
          values={results.map(({ firstTokenSeconds }) => firstTokenSeconds)}
        />
      </div>
      <p className="mt-2 text-muted-foreground text-sm">
        The last {format.number(results.length)} finished answers of stored chats, newest on the
        right
      </p>
      <SpeedTable results={results} />
    </>
  );
}

type ChartProps = { title: string; unit: string; values: readonly (number | null)[] };

function Chart({ title, unit, values }: ChartProps) {
  const format = useFormat();
  const middle = median(values);
  const measured = values.filter((value) => value !== null);
  const highest = Math.max(...measured);
  const step = WIDTH / values.length;
  const y = (value: number) => HEIGHT * (1 - value / highest);
  const summary =
    `${measured.length} answers: ${format.number(Math.min(...measured))} to ` +
    `${format.number(highest)} ${unit}. All values are in the table below.`;
  return (
    <figure className="rounded-lg border px-4 py-3">
      <figcaption className="text-muted-foreground text-sm">{title}</figcaption>
      <p className="font-heading text-2xl">
        {format.number(middle)} {middle === null ? null : unit}
      </p>
      {middle === null ? null : (
        <svg
          role="img"
          aria-label={summary}
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          className="mt-2 h-24 w-full"
        >
          {values.map((value, index) =>
            value === null ? null : (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: an answer is its position.
                key={index}
                x={index * step}
                y={y(value)}
                width={step * BAR}
                height={HEIGHT - y(value)}
                className="fill-chart-1"
              >
                <title>
                  {format.number(value)} {unit}
                </title>
              </rect>
            ),
          )}
          <line
            x1={0}
            x2={WIDTH}
            y1={y(middle)}
            y2={y(middle)}
            vectorEffect="non-scaling-stroke"
            strokeDasharray="4 3"
            className="stroke-foreground"
          />
        </svg>
      )}
    </figure>
  );
}

function SpeedTable({ results }: { results: readonly Speed[] }) {
  const format = useFormat();
  return (
    <details className="mt-2">
      <summary className="py-1 touch:py-2.5">View as table</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys. */}
      <section tabIndex={0} aria-label="Recent performance" className="overflow-x-auto">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b text-start [&>th]:py-1.5 [&>th]:pe-4 [&>th]:text-start">
              <th>Finished</th>
              <th>Tokens</th>
              <th>Tokens/s</th>
              <th>TTFT (s)</th>
              <th>Model</th>
            </tr>
          </thead>
          <tbody>
            {results.toReversed().map((speed, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: an answer is its position.
              <tr key={index} className="border-b last:border-0 [&>td]:py-1.5 [&>td]:pe-4">
                <td className="whitespace-nowrap">{format.dateTime(speed.endedAt)}</td>
                <td>{format.number(speed.tokens)}</td>
                <td>{format.number(speed.tokensPerSecond)}</td>
                <td>{format.number(speed.firstTokenSeconds)}</td>
                <td className="[overflow-wrap:anywhere]">{speed.model}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
