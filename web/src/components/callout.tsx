/** Messages that stand in the page: what happened, and what to do next. */
import { clsx } from "clsx";
import { CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { errorMessage } from "@/api/errors";
import { Button } from "./button";

const KINDS = {
  info: { style: "bg-muted", Icon: Info },
  success: { style: "bg-success text-success-foreground", Icon: CircleCheck },
  warning: { style: "bg-warning text-warning-foreground", Icon: TriangleAlert },
  error: { style: "bg-destructive text-destructive-foreground", Icon: TriangleAlert },
} as const;

type Props = {
  kind: keyof typeof KINDS;
  children: ReactNode;
  action?: ReactNode;
  className?: string;
};

export function Callout({ kind, children, action, className }: Props) {
  const { style, Icon } = KINDS[kind];
  return (
    <div
      role={kind === "error" ? "alert" : undefined}
      className={clsx(
        "flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md px-4 py-3",
        style,
        className,
      )}
    >
      <Icon aria-hidden className="size-5 shrink-0 self-start" />
      <div className="min-w-0 flex-1 basis-48 [overflow-wrap:anywhere]">{children}</div>
      {action}
    </div>
  );
}

type ErrorProps = { error: unknown; onRetry?: () => void; className?: string };

/** An error with a way to try again. */
export function ErrorCallout({ error, onRetry, className }: ErrorProps) {
  return (
    <Callout
      kind="error"
      className={className ?? ""}
      action={
        onRetry ? (
          <Button size="sm" className="text-foreground" onClick={onRetry}>
            Try again
          </Button>
        ) : null
      }
    >
      {errorMessage(error)}
    </Callout>
  );
}
