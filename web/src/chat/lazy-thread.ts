/**
 * The messages of a chat with Markdown and all that belongs to them: a third of the page's code. An
 * empty chat is ready before it is there; it is loaded once somebody does something with the page.
 */
import { lazy } from "react";

const load = () => import("./thread/thread");

export const Thread = lazy(load);

// If it fails now, it is loaded where it is needed.
const preload = () => void load().catch(() => undefined);

if (location.pathname.startsWith("/c/")) preload();
else {
  for (const event of ["keydown", "pointermove", "pointerdown"]) {
    addEventListener(event, preload, { once: true, passive: true });
  }
}
