/** What an empty chat shows: whether a model is there, and what can be asked. */
import { useQuery } from "@tanstack/react-query";
import { Callout, ErrorCallout } from "@/components/callout";
import { health } from "@/models/queries";
import { STARTERS } from "./starters";

export function Welcome({ onPick }: { onPick: (text: string) => void }) {
  return (
    <div className="flex min-h-0 flex-1 flex-col justify-center overflow-y-auto px-4">
      <div className="mx-auto w-full max-w-3xl py-8">
        <h2 className="mb-2 text-3xl">What can I help with?</h2>
        <ServiceNotice />
        <ul className="mt-6 grid gap-3 sm:grid-cols-2">
          {STARTERS.map(({ name, text }) => (
            <li key={name}>
              <button
                type="button"
                onClick={() => onPick(text)}
                className="flex h-full w-full flex-col rounded-lg border px-4 py-3 text-start hover:bg-muted"
              >
                <span className="font-medium">{name}</span>
                <span className="text-muted-foreground">{text}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

function ServiceNotice() {
  const service = useQuery(health);
  if (service.isError)
    return <ErrorCallout error={service.error} onRetry={() => service.refetch()} />;
  const server = service.data?.model_server;
  if (server === undefined) return <p className="min-h-6" />;
  if (server.state === "ready") {
    return (
      <p className="min-h-6 text-muted-foreground">
        Everything stays between this page, the API and the model server.
      </p>
    );
  }
  return <Callout kind={server.state === "loading" ? "info" : "warning"}>{server.message}</Callout>;
}
