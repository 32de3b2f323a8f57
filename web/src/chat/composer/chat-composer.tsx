/** The composer of a chat, with what waits to be sent, what is attached, and how full the context is. */
import { useQuery } from "@tanstack/react-query";
import { type Ref, useState } from "react";
import { modelList } from "@/models/queries";
import { FilesButton } from "../files/files-button";
import type { Content, FileOptions } from "../request";
import type { Message } from "../types";
import type { SettingsHandle } from "../use-settings";
import { AttachButton } from "./attach-button";
import { AttachmentList } from "./attachment-list";
import { imageProblem, withImages } from "./attachments";
import { Composer, type ComposerHandle } from "./composer";
import { ContextGauge } from "./context-gauge";
import { useAttachments } from "./use-attachments";

type Props = {
  /** Whose draft it is. */
  chat: string;
  handle: SettingsHandle;
  branch: Message[];
  isAnswering: boolean;
  problem?: string | undefined;
  onSend: (content: Content, fileOptions?: FileOptions) => void;
  onStop: () => void;
  ref: Ref<ComposerHandle>;
};

export function ChatComposer(props: Props) {
  const { chat, handle, branch, isAnswering, onSend, onStop, ref } = props;
  const { settings, change, defaultModel } = handle;
  const model = settings.model ?? defaultModel ?? null;
  const onFiles = (files: typeof settings.files) => change({ files });
  const attached = useAttachments(settings.files, onFiles);
  const [draft, setDraft] = useState("");
  const hasImages = attached.list.some(({ kind }) => kind === "image");
  const models = useQuery({ ...modelList, enabled: hasImages }).data?.data ?? [];
  const isReading = attached.list.some(({ kind }) => kind === "file");
  const isQueued = isAnswering && hasImages;
  const problem =
    props.problem ??
    imageProblem(attached.list, model, models) ??
    (isReading ? "Reading the file…" : undefined) ??
    (isQueued ? "Images can be sent when the answer is complete." : undefined);
  return (
    <>
      <Composer
        key={chat}
        chat={chat}
        isAnswering={isAnswering}
        problem={problem}
        hasAttachments={hasImages}
        onSend={(text) => {
          onSend(withImages(text, attached.list));
          attached.clear();
        }}
        onStop={onStop}
        onFiles={attached.add}
        onText={setDraft}
        tools={
          <>
            <AttachButton onFiles={attached.add} />
            <FilesButton
              files={settings.files}
              onFiles={onFiles}
              isBusy={isAnswering || isReading || props.problem !== undefined}
              onTask={onSend}
            />
          </>
        }
        attachments={
          <AttachmentList
            list={attached.list}
            onRemove={attached.remove}
            files={settings.files}
            onFiles={onFiles}
          />
        }
        ref={ref}
      />
      <ContextGauge branch={branch} model={model} draft={draft} />
      {attached.isDragging ? (
        <div className="pointer-events-none fixed inset-4 z-40 flex items-center justify-center rounded-lg border-2 border-primary border-dashed bg-background/80 text-xl">
          Drop to attach
        </div>
      ) : null}
    </>
  );
}
