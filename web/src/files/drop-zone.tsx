/** Where files are dropped or picked, and the uploads that are not done. */
import { clsx } from "clsx";
import { Upload as UploadIcon, X } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { Button } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { Spinner } from "@/components/spinner";
import { useUploads } from "./use-uploads";

export function DropZone() {
  const { uploads, add, dismiss } = useUploads();
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files]);
  };
  return (
    <section
      aria-label="Upload files"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
      className={clsx(
        "rounded-lg border border-dashed p-5 text-center",
        isOver ? "border-primary bg-muted" : "border-input",
      )}
    >
      <Button onClick={() => input.current?.click()}>
        <UploadIcon /> Upload files
      </Button>
      <p className="mt-2 text-muted-foreground text-sm">
        Or drop them here: text, Markdown, PDF, Word, HTML, CSV, JSON, source code and logs.
      </p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={(event) => {
          add([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <ul className="mt-3 flex flex-col gap-1 text-start empty:hidden" aria-live="polite">
        {uploads.map(({ key, name, problem }) => (
          <li key={key} className="flex items-center gap-2 rounded-md bg-muted px-3 py-1">
            {problem === undefined ? <Spinner /> : null}
            <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
              <bdi>{name}</bdi>
              {problem === undefined ? null : (
                <span className="block text-destructive-foreground text-sm">{problem}</span>
              )}
            </span>
            <IconButton
              label={problem === undefined ? `Cancel upload of ${name}` : "Dismiss"}
              onClick={() => dismiss(key)}
            >
              <X />
            </IconButton>
          </li>
        ))}
      </ul>
    </section>
  );
}
