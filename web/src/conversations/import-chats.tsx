/** Takes chats from files of this and other programs, and says what was left out. */
import { useQueryClient } from "@tanstack/react-query";
import { Upload } from "lucide-react";
import { useRef, useState } from "react";
import { isAbort } from "@/api/errors";
import { Button } from "@/components/button";
import { Callout, ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";
import { type ImportResult, importFile } from "./import-file";
import { refreshLists } from "./queries";

type Outcome = { file: string; result?: ImportResult; error?: unknown };

export function ImportChats() {
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const running = useRef<AbortController>(undefined);
  const [current, setCurrent] = useState<string>();
  const [outcomes, setOutcomes] = useState<Outcome[]>([]);
  const run = async (files: File[]) => {
    setOutcomes([]);
    const controller = new AbortController();
    running.current = controller;
    for (const file of files) {
      setCurrent(file.name);
      const outcome = await importOne(file, controller.signal);
      if (outcome === undefined) break;
      setOutcomes((before) => [...before, outcome]);
    }
    setCurrent(undefined);
    await refreshLists(client);
  };
  return (
    <div>
      <h3 className="mb-1.5 font-medium font-sans">Import</h3>
      <input
        ref={input}
        type="file"
        multiple
        accept=".json,.jsonl,.zip,application/json,application/zip"
        aria-label="Files with chats"
        className="hidden"
        onChange={({ target }) => {
          const files = [...(target.files ?? [])];
          target.value = ""; // The same file can be chosen again.
          if (files.length > 0) void run(files);
        }}
      />
      {current === undefined ? (
        <Button onClick={() => input.current?.click()}>
          <Upload aria-hidden />
          Import chats…
        </Button>
      ) : (
        <div className="flex flex-wrap items-center gap-3">
          <Spinner label={`Importing ${current}`} />
          <Button size="sm" onClick={() => running.current?.abort()}>
            Cancel
          </Button>
        </div>
      )}
      <p className="mt-1.5 text-muted-foreground text-sm">
        Exports of SmolChat, Open WebUI, llama.cpp and ChatGPT, chats of LM Studio, and lists of
        messages in OpenAI's shape: JSON, JSON Lines or ZIP.
      </p>
      <div role="status" className="mt-2 grid gap-2 empty:hidden">
        {outcomes.map((outcome, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are only added to.
          <OutcomeView key={index} outcome={outcome} hasName={outcomes.length > 1} />
        ))}
      </div>
    </div>
  );
}

/** Return undefined if the import was cancelled. */
async function importOne(file: File, signal: AbortSignal): Promise<Outcome | undefined> {
  try {
    return { file: file.name, result: await importFile(file, signal) };
  } catch (error) {
    return isAbort(error) ? undefined : { file: file.name, error };
  }
}

function OutcomeView({ outcome, hasName }: { outcome: Outcome; hasName: boolean }) {
  const { file, result, error } = outcome;
  const name = hasName ? <bdi className="block font-medium">{file}</bdi> : null;
  if (result === undefined) {
    return (
      <div>
        {name}
        <ErrorCallout error={error} />
      </div>
    );
  }
  const { imported_count: count, left_out: leftOut, left_out_count: leftOutCount } = result;
  return (
    <Callout kind={leftOutCount > 0 ? "warning" : "success"}>
      {name}
      {count === 1 ? "1 chat imported" : `${count} chats imported`}
      {leftOutCount > 0 ? (
        <>
          . Left out:
          <ul className="mt-1 list-disc ps-5">
            {leftOut.map(({ index, title, imported, reason }) => (
              <li key={`${index} ${reason}`}>
                <bdi className="font-medium">{title || `Chat ${index + 1}`}</bdi> (
                {imported ? "only a part" : "the whole chat"}): {reason}
              </li>
            ))}
          </ul>
          {leftOutCount > leftOut.length ? `and ${leftOutCount - leftOut.length} more` : null}
        </>
      ) : null}
    </Callout>
  );
}
