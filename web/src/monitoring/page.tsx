/** What runs where, and how fast it answers; looked up again every few seconds. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ExternalLink, RefreshCw } from "lucide-react";
import type { ReactNode } from "react";
import { hasKey } from "@/api/access";
import { ConnectionError, errorMessage } from "@/api/errors";
import { buttonStyle } from "@/components/button";
import { Callout } from "@/components/callout";
import { IconButton } from "@/components/icon-button";
import { Spinner } from "@/components/spinner";
import { health, modelList } from "@/models/queries";
import { PageHeader } from "@/routes/page-header";
import { useFormat } from "@/settings/format";
import { Performance } from "./performance-view";
import { REFRESH_MS, readiness, type Status, status } from "./queries";
import { stateOf, states } from "./service-state";
import { ApiCard, ModelServerCard, PageCard } from "./services";
import { ValueTable } from "./value-table";

const LIVE = { refetchInterval: REFRESH_MS, staleTime: 0, retry: false };

export function StatusPage() {
  const api = useQuery({ ...health, ...LIVE });
  const ready = useQuery({ ...readiness(), ...LIVE });
  const details = useQuery({ ...status(), ...LIVE });
  const format = useFormat();
  const isUp = !api.isError;
  const models = useQuery({ ...modelList, enabled: isUp });
  const refresh = () => Promise.all([api, ready, details, models].map(({ refetch }) => refetch()));
  const shown = details.data;
  return (
    <>
      <PageHeader title="Status">
        <IconButton label="Refresh" onClick={() => void refresh()}>
          <RefreshCw />
        </IconButton>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
          <p className="mb-4 text-muted-foreground">
            Updated every {REFRESH_MS / 1000} seconds. Viewing this page never runs the model.
          </p>
          <Problem
            state={stateOf(api)}
            message={api.isError ? apiProblem(api.error) : api.data?.model_server.message}
            notReady={ready.isError ? null : (ready.data?.problem ?? null)}
          />
          <Section title="Services">
            <div className="grid gap-3">
              <PageCard />
              <ApiCard isUp={isUp} status={shown} />
              <ModelServerCard
                state={stateOf(api)}
                health={isUp ? api.data : undefined}
                status={isUp ? shown : undefined}
                models={isUp ? models.data?.data : undefined}
              />
            </div>
          </Section>
          {shown === undefined ? (
            <Waiting isError={details.isError} error={details.error} />
          ) : (
            <>
              {isUp ? null : (
                <p className="mt-8 text-muted-foreground">
                  As it was at {format.time(new Date(details.dataUpdatedAt))}:
                </p>
              )}
              <Details status={shown} />
            </>
          )}
        </div>
      </div>
    </>
  );
}

/** Return what the API answered instead of its health; empty if it did not answer. */
function apiProblem(error: unknown): string {
  return error instanceof ConnectionError ? "" : errorMessage(error);
}

type ProblemProps = {
  state: keyof typeof states;
  message: string | undefined;
  /** Why a chat would not be answered now, though the model is there. */
  notReady: string | null;
};

/** What is wrong and what to do next; read aloud when it changes. */
function Problem({ state, message, notReady }: ProblemProps) {
  const { name, nextStep, color } = states[state];
  const isFine = state === "ready" || state === "checking";
  const text = isFine ? notReady : message;
  return (
    <div role={color === "red" ? undefined : "status"}>
      {text !== null && text !== undefined ? (
        <Callout kind={color === "red" ? "error" : "warning"} className="mb-4">
          {isFine ? null : <strong className="font-semibold">{name}. </strong>}
          {text} {nextStep}
        </Callout>
      ) : null}
    </div>
  );
}

function Waiting({ isError, error }: { isError: boolean; error: unknown }) {
  return (
    <div className="mt-6">
      {isError ? (
        <p className="text-muted-foreground">
          The rest is not available: <bdi>{errorMessage(error)}</bdi>
        </p>
      ) : (
        <Spinner />
      )}
    </div>
  );
}

function Details({ status: { store, recent, settings, packages } }: { status: Status }) {
  return (
    <>
      <Section title="Conversations">
        <Store store={store} />
      </Section>
      <Section title="Recent performance">
        {recent === null ? (
          <p className="text-muted-foreground">Not available: the database did not answer.</p>
        ) : (
          <Performance recent={recent} />
        )}
      </Section>
      <Section title="Configuration">
        <ValueTable title="Settings" values={settings} />
        <ValueTable title="Packages" values={packages} />
        <div className="mt-3 flex flex-wrap gap-2">
          {[
            { name: "API docs", path: "/docs" },
            { name: "openapi.json", path: "/openapi.json" },
          ].map(({ name, path }) => (
            <a key={path} href={path} target="_blank" rel="noreferrer" className={buttonStyle()}>
              {name}
              <ExternalLink aria-label="(opens in a new tab)" />
            </a>
          ))}
        </div>
        {hasKey() ? (
          <p className="mt-2 text-muted-foreground text-sm">
            Both want the API key, which a browser does not send by itself.
          </p>
        ) : null}
      </Section>
    </>
  );
}

const DATABASES: Record<string, string> = { sqlite: "SQLite", postgresql: "PostgreSQL" };

function Store({ store }: { store: Status["store"] }) {
  const format = useFormat();
  return (
    <>
      {store.problem ? (
        <Callout kind="warning" className="mb-3">
          {store.problem}
        </Callout>
      ) : null}
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        <Metric name="Conversations" value={format.number(store.conversations)} />
        <Metric name="Messages" value={format.number(store.messages)} />
        <Metric name="Size" value={format.bytes(store.bytes)} />
      </dl>
      <p className="mt-2 text-muted-foreground text-sm [overflow-wrap:anywhere]">
        {DATABASES[store.kind] ?? store.kind} · {store.place}
      </p>
      {store.conversations === 0 ? (
        <p className="mt-3">
          No chats yet.{" "}
          <Link to="/" className="text-link underline">
            Start the first one
          </Link>
        </p>
      ) : null}
    </>
  );
}

function Metric({ name, value }: { name: string; value: string }) {
  return (
    <div className="rounded-lg border px-4 py-3">
      <dt className="text-muted-foreground text-sm">{name}</dt>
      <dd className="font-heading text-2xl">{value}</dd>
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="mt-8">
      <h2 className="mb-3 text-xl">{title}</h2>
      {children}
    </section>
  );
}
