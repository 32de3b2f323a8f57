/** The programs between a person and the model, in the order of a request. */
import type { ReactNode } from "react";
import type { Reply } from "@/api/client";
import { UNKNOWN, useFormat } from "@/settings/format";
import type { Health, Status } from "./queries";
import { StateBadge } from "./service-badge";
import { type ServiceState, type StateName, states } from "./service-state";

const ONLINE: ServiceState = { name: "Online", color: "green" };
const MAX_MODELS = 20;

type CardProps = {
  title: string;
  address: string;
  state?: ServiceState;
  children: ReactNode;
};

function Card({ title, address, state, children }: CardProps) {
  return (
    <article className="rounded-lg border px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="text-lg">{title}</h3>
        {state ? <StateBadge state={state} /> : null}
      </div>
      <p className="font-mono text-sm [overflow-wrap:anywhere]">{address}</p>
      <div className="mt-1 text-muted-foreground text-sm [overflow-wrap:anywhere]">{children}</div>
    </article>
  );
}

export function PageCard() {
  return (
    <Card title="This page" address={location.origin}>
      <p>Served by the API. Nothing is loaded from elsewhere.</p>
    </Card>
  );
}

export function ApiCard({ isUp, status }: { isUp: boolean; status: Status | undefined }) {
  const format = useFormat();
  return (
    <Card title="API" address={location.origin} state={isUp ? ONLINE : states.api_down}>
      {isUp && status ? (
        <>
          <p>
            SmolChat {status.version} · FastAPI {status.packages.fastapi ?? UNKNOWN} · Python{" "}
            {status.python}
          </p>
          <p>
            Up since {format.dateTime(status.started_at)} on {status.platform}
          </p>
          <p>
            Active {format.number(status.running)}, queued {format.number(status.waiting)}
            {status.detached > 0
              ? `, ${format.number(status.detached)} of them without an open page`
              : null}
          </p>
        </>
      ) : (
        <p>Version: {UNKNOWN}</p>
      )}
    </Card>
  );
}

type ModelServerProps = {
  state: StateName;
  health: Health | undefined;
  status: Status | undefined;
  models: Reply<"ModelList">["data"] | undefined;
};

export function ModelServerCard({ state, health, status, models }: ModelServerProps) {
  const format = useFormat();
  const server = status?.model_server;
  const size = server?.context_size;
  return (
    <Card
      title="Model server"
      address={health?.model_server.url ?? "Address unknown"}
      state={states[state === "api_down" ? "unknown" : state]}
    >
      <p>{server?.name ?? "Name unknown"}</p>
      {health ? (
        <p>
          Default model: {health.model}
          {state === "ready" && size ? `, context of ${format.number(size)} tokens` : null}
        </p>
      ) : null}
      {models && models.length > 0 ? (
        <p>
          Models:{" "}
          {models
            .slice(0, MAX_MODELS)
            .map(({ id }) => id)
            .join(", ")}
          {models.length > MAX_MODELS ? ` and ${models.length - MAX_MODELS} more` : null}
        </p>
      ) : null}
    </Card>
  );
}
