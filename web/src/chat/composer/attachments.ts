/** What is attached to the next message: images, which go with it, and files that are being read. */
import { call, type Reply, send } from "@/api/client";
import { errorMessage, isAbort } from "@/api/errors";
import type { Content, Part } from "../request";

export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MAX_IMAGE_BYTES = 20_000_000;
const POLL_MS = 400;

export type Attachment = {
  key: string;
  name: string;
} & (
  | { kind: "image"; url: string }
  | { kind: "file"; progress: number }
  | { kind: "failed"; problem: string }
);

/** Read an image, which the API checks and scales. */
export async function readImage(file: File): Promise<Attachment> {
  const attachment = { key: crypto.randomUUID(), name: file.name || "image" };
  if (file.size > MAX_IMAGE_BYTES) {
    return { ...attachment, kind: "failed", problem: "larger than 20 MB" };
  }
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error("This image could not be read."));
    reader.readAsDataURL(file);
  });
  return { ...attachment, kind: "image", url };
}

/**
 * Upload a file and wait until it is read; return its id.
 *
 * @throws ApiError it was refused; Error it could not be read; an abort of `signal`.
 */
export async function uploadFile(
  file: File,
  onProgress: (progress: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const form = new FormData();
  form.append("purpose", "assistants");
  form.append("file", file);
  const response = await send("/files", { method: "POST", body: form, signal });
  let stored: Reply<"FileObject"> = await response.json();
  while (stored.status === "uploaded" || stored.status === "in_progress") {
    onProgress(stored.smolchat.progress);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    stored = await call("get", "/files/{file_id}", { path: { file_id: stored.id }, signal });
  }
  if (stored.status === "error") {
    throw new Error(stored.status_details ?? "This file could not be read.");
  }
  return stored.id;
}

export function uploadProblem(error: unknown): string | undefined {
  return isAbort(error) ? undefined : errorMessage(error);
}

/** Return a message with its images. */
export function withImages(text: string, attachments: Attachment[]): Content {
  const images: Part[] = attachments.flatMap((attachment): Part[] =>
    attachment.kind === "image"
      ? [
          {
            type: "image_url",
            image_url: { url: attachment.url },
            smolchat: { name: attachment.name },
          },
        ]
      : [],
  );
  if (images.length === 0) return text;
  return text === "" ? images : [{ type: "text", text }, ...images];
}

type ListedModel = { id: string; smolchat: { input?: ("text" | "image")[] | null } };

/** Return why a model does not take the images, and which would: said before they are sent. */
export function imageProblem(
  attachments: Attachment[],
  model: string | null,
  models: readonly ListedModel[],
): string | undefined {
  if (!attachments.some(({ kind }) => kind === "image")) return undefined;
  const input = models.find(({ id }) => id === model)?.smolchat.input;
  if (!input || input.includes("image")) return undefined;
  const others = models.filter(({ smolchat }) => smolchat.input?.includes("image"));
  const names = others.slice(0, 3).map(({ id }) => id);
  const next = names.length > 0 ? `Switch to ${names.join(" or ")}` : "Remove the image";
  return `${model?.split("/").at(-1)} takes no images. ${next}.`;
}
