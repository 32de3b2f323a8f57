/** Uploads of several files, one after the other; what failed stays until it is dismissed. */
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { errorMessage, isAbort } from "@/api/errors";
import { fileKeys, upload } from "./queries";

export type Upload = { key: string; name: string; problem?: string };

export function useUploads() {
  const client = useQueryClient();
  const [uploads, setUploads] = useState<Upload[]>([]);
  const queue = useRef(Promise.resolve());
  const aborted = useRef(new Map<string, AbortController>());
  const dismiss = (key: string) => {
    aborted.current.get(key)?.abort();
    setUploads((before) => before.filter((other) => other.key !== key));
  };
  const fail = (key: string, problem: string) =>
    setUploads((before) =>
      before.map((other) => (other.key === key ? { ...other, problem } : other)),
    );

  const run = async (key: string, file: File, signal: AbortSignal) => {
    if (signal.aborted) return;
    try {
      await upload(file, signal);
      dismiss(key);
      await client.invalidateQueries({ queryKey: fileKeys.files });
    } catch (error) {
      if (!isAbort(error)) fail(key, errorMessage(error));
    }
  };
  const add = (files: File[]) => {
    for (const file of files) {
      const key = crypto.randomUUID();
      const controller = new AbortController();
      aborted.current.set(key, controller);
      setUploads((before) => [...before, { key, name: file.name }]);
      queue.current = queue.current.then(() => run(key, file, controller.signal));
    }
  };
  return { uploads, add, dismiss };
}
