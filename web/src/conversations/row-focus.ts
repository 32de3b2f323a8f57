/** Which row has the focus next, after its list has changed. */

/** A row that does not appear in this time has no claim any more. */
const WAIT_MS = 3_000;

let wanted: { id: string; since: number } | undefined;

/** Give the focus to the link of a chat: now if it is shown, else as soon as it is. */
export function focusChat(id: string): void {
  const link = chatLink(id);
  if (link === null) focusMovedChat(id);
  else link.focus();
}

/** Give the focus to the link of a chat when it appears in another place. */
export function focusMovedChat(id: string): void {
  wanted = { id, since: Date.now() };
}

/** To be called by a row that has appeared. */
export function takeFocus(id: string, link: HTMLElement | null): void {
  if (wanted?.id !== id || link === null) return;
  if (Date.now() - wanted.since < WAIT_MS) link.focus();
  wanted = undefined;
}

/** Return the id of the chat below, or above if it is the last one. */
export function neighbour(id: string): string | undefined {
  const links = [...document.querySelectorAll<HTMLElement>("[data-chat-link]")];
  const index = links.findIndex((link) => link.dataset.chatLink === id);
  return index < 0 ? undefined : (links[index + 1] ?? links[index - 1])?.dataset.chatLink;
}

function chatLink(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-chat-link="${CSS.escape(id)}"]`);
}
