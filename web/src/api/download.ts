/** Files of the API that are saved by the browser. */
import { hasKey } from "./access";
import { send } from "./client";

/** Time for the browser to read a file that the page has made. */
const KEEP_MS = 60_000;

/**
 * Save what is at an address of the API.
 *
 * Without a key the browser saves it while it arrives, however large it is. A link cannot carry the
 * key, so with one the page reads the file first.
 */
export async function download(url: string): Promise<void> {
  if (!hasKey()) {
    saveAs(url, "");
    return;
  }
  const response = await send(url);
  const name = fileName(response.headers.get("content-disposition") ?? "");
  saveBlob(await response.blob(), name);
}

/** Save a text that the page has made. */
export function saveText(name: string, text: string, type: string): void {
  saveBlob(new Blob([text], { type }), name);
}

function saveBlob(blob: Blob, name: string): void {
  const made = URL.createObjectURL(blob);
  saveAs(made, name);
  setTimeout(() => URL.revokeObjectURL(made), KEEP_MS);
}

/** Return the name of a `Content-Disposition`, or an empty string. */
export function fileName(disposition: string): string {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1];
  try {
    if (encoded !== undefined) return decodeURIComponent(encoded);
  } catch {
    // Not what the standard says: the plain name is there as well.
  }
  return /filename="?([^";]+)"?/i.exec(disposition)?.[1] ?? "";
}

function saveAs(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
