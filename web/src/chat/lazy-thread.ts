/**
 * The messages of a chat with Markdown and all that belongs to them: a third of the page's code. An
 * empty chat is ready before it is there; it is loaded as soon as the page has time.
 */
import { lazy } from "react";

const load = () => import("./thread/thread");

export const Thread = lazy(load);

if (location.pathname.startsWith("/c/")) void load();
else addEventListener("load", () => setTimeout(load, 300), { once: true });
