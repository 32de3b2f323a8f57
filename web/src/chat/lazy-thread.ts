/**
 * The messages of a chat with Markdown and all that belongs to them: a third of the page's code. An
 * empty chat is ready before it is there; it is loaded as soon as the page has time.
 */
import { lazy } from "react";

const load = () => import("./thread/thread");

export const Thread = lazy(load);

// If it fails now, it is loaded where it is needed.
const preload = () => void load().catch(() => undefined);

if (location.pathname.startsWith("/c/")) preload();
else addEventListener("load", () => setTimeout(preload, 300), { once: true });
