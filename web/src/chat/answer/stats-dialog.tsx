/** All stats of an answer, and where its time went. */
import { Dialog } from "@/components/dialog";
import type { AnswerModel } from "../thread/rows";
import { duration } from "./receipt-text";
import { statRows, waitParts } from "./stat-rows";

const BAR_COLORS = ["bg-chart-4", "bg-chart-3", "bg-chart-2", "bg-chart-5", "bg-chart-1"];

type Props = { answer: AnswerModel; onClose: () => void };

export default function StatsDialog({ answer, onClose }: Props) {
  const receipt = answer.receipt ?? {};
  const parameters = Object.entries(answer.parameters ?? {}).filter(
    ([name]) => name !== "smolchat",
  );
  return (
    <Dialog title="Generation stats" onClose={onClose}>
      <WaitBar answer={answer} />
      <dl className="mt-4 grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
        {statRows(receipt, answer.state).map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-muted-foreground">{name}</dt>
            <dd className="[overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
        <dt className="text-muted-foreground">Parameters sent</dt>
        <dd className="font-mono text-sm [overflow-wrap:anywhere]">
          {parameters.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(" · ") ||
            (answer.parameters === undefined ? "n/a" : "none")}
        </dd>
      </dl>
      {receipt.warnings?.map((warning) => (
        <p key={warning} className="mt-3 text-warning-foreground">
          {warning}
        </p>
      ))}
    </Dialog>
  );
}

/** Where the time went, as one bar. */
function WaitBar({ answer }: { answer: AnswerModel }) {
  const parts = waitParts(answer.receipt ?? {});
  if (parts.length === 0) return null;
  return (
    <figure>
      <figcaption className="sr-only">Where the time went</figcaption>
      <div aria-hidden className="flex h-3 overflow-hidden rounded-full bg-muted">
        {parts.map(({ name, ms }, index) => (
          <div
            key={name}
            className={BAR_COLORS[index % BAR_COLORS.length]}
            style={{ flexGrow: ms, minWidth: "2px" }}
          />
        ))}
      </div>
      <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm">
        {parts.map(({ name, ms }, index) => (
          <li key={name} className="flex items-center gap-1.5">
            <span
              aria-hidden
              className={`size-2.5 rounded-full ${BAR_COLORS[index % BAR_COLORS.length]}`}
            />
            {name} {duration(ms)}
          </li>
        ))}
      </ul>
    </figure>
  );
}
