/** Whether a chat would be answered now, in a word. */
import { useQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import { health } from "@/models/queries";
import { type ServiceState, stateOf, states } from "./service-state";

const COLORS: Record<ServiceState["color"], string> = {
  green: "bg-success text-success-foreground",
  orange: "bg-warning text-warning-foreground",
  red: "bg-destructive text-destructive-foreground",
  gray: "bg-muted text-muted-foreground",
};

export function ServiceBadge() {
  const api = useQuery(health);
  return <StateBadge state={states[stateOf(api)]} className="ms-auto short:hidden" />;
}

export function StateBadge({ state, className }: { state: ServiceState; className?: string }) {
  return (
    <span
      className={clsx(
        "inline-flex shrink-0 items-center gap-1.5 rounded-full px-2 py-0.5 font-normal text-xs",
        COLORS[state.color],
        className,
      )}
    >
      <span aria-hidden className="size-1.5 rounded-full bg-current" />
      {state.name}
    </span>
  );
}
