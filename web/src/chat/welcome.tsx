/** What an empty chat shows: whether a model is there, and what can be tried. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode, RefObject } from "react";
import { errorMessage } from "@/api/errors";
import { Callout, ErrorCallout } from "@/components/callout";
import { showToast } from "@/components/toast";
import { health } from "@/models/queries";
import { uploadFile } from "./composer/attachments";
import type { ComposerHandle } from "./composer/composer";
import { STARTERS, type Starter } from "./starters";
import type { SettingsHandle } from "./use-settings";

const CARD = "flex h-full w-full flex-col rounded-lg border px-4 py-3 text-start hover:bg-muted";

type Props = { handle: SettingsHandle; composer: RefObject<ComposerHandle | null> };

export function Welcome({ handle, composer }: Props) {
  const pick = async (starter: Starter) => {
    composer.current?.setText(starter.text);
    await prepare(starter, handle).catch((error) => showToast({ text: errorMessage(error) }));
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col overflow-y-auto px-4">
      <div className="mx-auto my-auto w-full max-w-3xl py-8">
        <h2 className="mb-2 text-3xl">What can I help with?</h2>
        <ServiceNotice />
        <ul className="mt-6 grid gap-3 sm:grid-cols-2">
          {STARTERS.map((starter) => (
            <li key={starter.name}>
              <button type="button" onClick={() => pick(starter)} className={CARD}>
                <CardText name={starter.name} note={starter.note}>
                  {starter.text}
                </CardText>
              </button>
            </li>
          ))}
          <li>
            <Link to="/app/structured" className={CARD}>
              <CardText name="Extract JSON" note="Opens Structured.">
                Get output that is guaranteed to match a schema.
              </CardText>
            </Link>
          </li>
        </ul>
      </div>
    </div>
  );
}

type CardProps = { name: string; note: string | undefined; children: ReactNode };

function CardText({ name, note, children }: CardProps) {
  return (
    <>
      <span className="font-medium">{name}</span>
      <span className="text-muted-foreground">{children}</span>
      {note === undefined ? null : <span className="mt-1 text-ember text-sm">{note}</span>}
    </>
  );
}

/** Switch on or attach what a starter needs. */
async function prepare(starter: Starter, { settings, change }: SettingsHandle): Promise<void> {
  if (starter.kind === "tool") {
    change({ tools: [...new Set([...settings.tools, starter.tool])] });
  } else if (starter.kind === "file") {
    const { name, text } = starter.file;
    const file = new File([text], name, { type: "text/plain" });
    const id = await uploadFile(file, () => undefined, new AbortController().signal);
    change({ files: { ...settings.files, file_ids: [id] } });
  }
}

function ServiceNotice() {
  const service = useQuery(health);
  if (service.isError) {
    return <ErrorCallout error={service.error} onRetry={() => service.refetch()} />;
  }
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
