/** The files of a chat: which it is answered from, how, and tasks on all of their text. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { FIELD, Input } from "@/components/input";
import { Spinner } from "@/components/spinner";
import { collectionList, fileList, isBeingRead, type StoredFile } from "@/files/queries";
import type { FileOptions, FileSelection } from "../request";
import { countSelected, MAX_COLLECTIONS, MAX_FILES } from "./chat-files";
import { counted, isMode, MODES } from "./file-words";
import { TaskButtons } from "./task-buttons";

/** More are searched by name. */
const MAX_UNFILTERED = 8;

export type FilesDialogProps = {
  files: FileSelection;
  onFiles: (files: FileSelection) => void;
  /** Nothing can be sent now. */
  isBusy: boolean;
  onTask: (text: string, options: FileOptions) => void;
  onClose: () => void;
};

export default function FilesDialog(props: FilesDialogProps) {
  const { files, onFiles, isBusy, onTask, onClose } = props;
  const hasFiles = countSelected(files) > 0;
  return (
    <Dialog title="Files in this chat" onClose={onClose}>
      <p className="mb-3 text-muted-foreground">
        Answers are given from the files that you choose, with citations.
      </p>
      <Choice files={files} onFiles={onFiles} />
      <ModeField
        mode={isMode(files.mode) ? files.mode : "auto"}
        onChange={(mode) => onFiles({ ...files, mode })}
      />
      {hasFiles ? (
        <TaskButtons
          isBusy={isBusy}
          onTask={(text, options) => {
            onClose();
            onTask(text, options);
          }}
        />
      ) : null}
      <p className="mt-4">
        <Link to="/app/files" className="text-link underline">
          Manage files
        </Link>
      </p>
    </Dialog>
  );
}

type ChoiceProps = Pick<FilesDialogProps, "files" | "onFiles">;

function Choice({ files, onFiles }: ChoiceProps) {
  const [filter, setFilter] = useState("");
  const collections = useQuery({ ...collectionList, refetchOnMount: "always" });
  const list = useInfiniteQuery({ ...fileList, refetchOnMount: "always" });
  const allCollections = collections.data?.data ?? [];
  const allFiles = list.data?.pages.flatMap(({ data }) => data) ?? [];
  const count = allCollections.length + allFiles.length;
  const fits = (name: string | null) =>
    (name ?? "").toLowerCase().includes(filter.trim().toLowerCase());
  const toggle = (kind: "file_ids" | "vector_store_ids", id: string, isOn: boolean) => {
    const others = files[kind].filter((other) => other !== id);
    onFiles({ ...files, [kind]: isOn ? [...others, id] : others });
  };
  if (list.isPending || collections.isPending) return <Spinner label="Loading the files" />;
  if (list.isError) return <ErrorCallout error={list.error} onRetry={() => void list.refetch()} />;
  if (count === 0) return <p>No files yet. Attach one to a message, or upload it under Files.</p>;
  return (
    <>
      {count > MAX_UNFILTERED ? (
        <Input
          label="Find a file or collection"
          type="search"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          className="mb-3"
        />
      ) : null}
      <div className="flex max-h-64 flex-col gap-3 overflow-y-auto rounded-md border p-3">
        <Group legend="Collections">
          {allCollections
            .filter(({ name }) => fits(name))
            .map(({ id, name, file_counts }) => (
              <Option
                key={id}
                name={name || "Unnamed"}
                note={counted(file_counts.completed, "file")}
                isOn={files.vector_store_ids.includes(id)}
                isDisabled={files.vector_store_ids.length >= MAX_COLLECTIONS}
                onChange={(isOn) => toggle("vector_store_ids", id, isOn)}
              />
            ))}
        </Group>
        <Group legend="Files">
          {allFiles
            .filter(({ filename }) => fits(filename))
            .map((file) => (
              <Option
                key={file.id}
                name={file.filename}
                note={fileNote(file)}
                isOn={files.file_ids.includes(file.id)}
                isDisabled={file.status !== "processed" || files.file_ids.length >= MAX_FILES}
                onChange={(isOn) => toggle("file_ids", file.id, isOn)}
              />
            ))}
        </Group>
        {list.hasNextPage ? (
          <Button
            size="sm"
            disabled={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            Show more
          </Button>
        ) : null}
      </div>
    </>
  );
}

function Group({ legend, children }: { legend: string; children: React.ReactNode[] }) {
  if (children.length === 0) return null;
  return (
    <fieldset className="flex min-w-0 flex-col">
      <legend className="text-muted-foreground text-sm">{legend}</legend>
      {children}
    </fieldset>
  );
}

type OptionProps = {
  name: string;
  note: string;
  isOn: boolean;
  /** What is chosen can always be removed. */
  isDisabled: boolean;
  onChange: (isOn: boolean) => void;
};

function Option({ name, note, isOn, isDisabled, onChange }: OptionProps) {
  return (
    <label className="flex min-w-0 items-center gap-2.5 py-1 touch:min-h-11">
      <input
        type="checkbox"
        checked={isOn}
        disabled={isDisabled && !isOn}
        onChange={(event) => onChange(event.target.checked)}
        className="size-4 shrink-0 accent-primary"
      />
      <bdi className="min-w-0 truncate" title={name}>
        {name}
      </bdi>
      <span className="ms-auto shrink-0 text-muted-foreground text-xs">{note}</span>
    </label>
  );
}

type ModeProps = { mode: keyof typeof MODES; onChange: (mode: keyof typeof MODES) => void };

function ModeField({ mode, onChange }: ModeProps) {
  const id = useId();
  return (
    <div className="mt-4 flex flex-col gap-1">
      <label htmlFor={id}>Answers</label>
      <select
        id={id}
        value={mode}
        aria-describedby={`${id}-help`}
        onChange={(event) => isMode(event.target.value) && onChange(event.target.value)}
        className={FIELD}
      >
        {Object.entries(MODES).map(([value, { label }]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <p id={`${id}-help`} className="text-muted-foreground text-sm">
        {MODES[mode].help}
      </p>
    </div>
  );
}

function fileNote(file: StoredFile): string {
  if (isBeingRead(file)) return `reading ${Math.round(file.smolchat.progress * 100)}%`;
  return file.status === "error" ? "could not be read" : "";
}
