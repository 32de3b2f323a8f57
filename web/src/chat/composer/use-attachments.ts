/** Images and files that are picked, pasted or dropped anywhere on the page. */
import { useEffect, useRef, useState } from "react";
import type { FileSelection } from "../request";
import { type Attachment, IMAGE_TYPES, readImage, uploadFile, uploadProblem } from "./attachments";

export type Attachments = {
  list: Attachment[];
  isDragging: boolean;
  add: (files: File[]) => void;
  remove: (key: string) => void;
  clear: () => void;
};

export function useAttachments(
  files: FileSelection,
  onFiles: (files: FileSelection) => void,
): Attachments {
  const [list, setList] = useState<Attachment[]>([]);
  const uploads = useRef(new Map<string, AbortController>());
  const latest = useRef({ files, onFiles });
  latest.current = { files, onFiles };
  const change = (attachment: Attachment) =>
    setList((before) => before.map((other) => (other.key === attachment.key ? attachment : other)));
  const remove = (key: string) => {
    uploads.current.get(key)?.abort();
    setList((before) => before.filter((other) => other.key !== key));
  };

  const addImage = async (file: File) => {
    const attachment = await readImage(file).catch(
      (error): Attachment => ({
        key: crypto.randomUUID(),
        name: file.name,
        kind: "failed",
        problem: uploadProblem(error) ?? "",
      }),
    );
    setList((before) => [...before, attachment]);
  };
  const addFile = async (file: File) => {
    const attachment = { key: crypto.randomUUID(), name: file.name };
    const controller = new AbortController();
    uploads.current.set(attachment.key, controller);
    setList((before) => [...before, { ...attachment, kind: "file", progress: 0 }]);
    const onProgress = (progress: number) => change({ ...attachment, kind: "file", progress });
    try {
      const id = await uploadFile(file, onProgress, controller.signal);
      const selected = latest.current.files;
      latest.current.onFiles({ ...selected, file_ids: [...new Set([...selected.file_ids, id])] });
      remove(attachment.key);
    } catch (error) {
      const problem = uploadProblem(error);
      if (problem !== undefined) change({ ...attachment, kind: "failed", problem });
    } finally {
      uploads.current.delete(attachment.key);
    }
  };
  const add = (added: File[]) => {
    for (const file of added) {
      void (IMAGE_TYPES.includes(file.type) ? addImage(file) : addFile(file));
    }
  };
  const isDragging = useDrop(add);
  return { list, isDragging, add, remove, clear: () => setList([]) };
}

/** Files can be dropped anywhere: beside the field, the browser would open them and leave the page. */
function useDrop(onFiles: (files: File[]) => void): boolean {
  const [isDragging, setDragging] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDragging(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setDragging(false);
    };
    const onDrop = (event: DragEvent) => {
      setDragging(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      latest.current([...(event.dataTransfer?.files ?? [])]);
    };
    const listeners = { dragover: onOver, dragleave: onLeave, drop: onDrop };
    const entries = Object.entries(listeners) as [keyof typeof listeners, typeof onDrop][];
    for (const [name, listener] of entries) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of entries) removeEventListener(name, listener);
    };
  }, []);
  return isDragging;
}
