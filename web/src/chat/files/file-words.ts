/** What is said about answers from files: what was read, how, and how far it can be relied on. */
import type { Citation, Retrieval } from "../types";

export const MODES = {
  auto: { label: "Automatic", help: "Quotes with a small model; else whole files or passages." },
  quotes: { label: "Quotes", help: "Sentences of the files, picked without the model." },
  passages: { label: "Passages", help: "The model answers from the best matches." },
  whole: { label: "Whole files", help: "The model reads everything." },
} as const;

export type Mode = keyof typeof MODES;

export const TASKS = {
  summarise: "Summarize",
  mentions: "List mentions",
  count: "Count",
  first: "First sentences",
  last: "Last sentences",
} as const;

export type Task = keyof typeof TASKS;

const STRATEGIES: Record<string, string> = {
  quotes: "Quoted word for word, picked without the model",
  passages: "Answered by the model from these passages",
  whole: "Answered by the model, which was given all of the text",
  summarise: "Summarized by the model, part by part",
  mentions: "Found in the text without the model",
  count: "Counted in the text without the model",
  first: "Taken from the start of the text without the model",
  last: "Taken from the end of the text without the model",
};
const MODEL_STRATEGIES = ["passages", "whole", "summarise"];
const MAX_NAMES = 2;

export function isMode(value: unknown): value is Mode {
  return typeof value === "string" && Object.hasOwn(MODES, value);
}

export function isTask(value: unknown): value is Task {
  return typeof value === "string" && Object.hasOwn(TASKS, value);
}

/** What a task does, as the message that asks for it. */
export function taskLabel(task: Task, phrase?: string | null, n?: number | null): string {
  switch (task) {
    case "mentions":
      return phrase ? `List all mentions of “${phrase}”` : "List all mentions";
    case "count":
      return phrase ? `Count the mentions of “${phrase}”` : "Count the mentions";
    case "first":
    case "last":
      return `The ${task} ${n ? counted(n, "sentence") : "sentences"} of the text`;
    case "summarise":
      return "Summarize the text";
  }
}

/** How much of which files was read, and how the answer came about. */
export function coverage(retrieval: Retrieval): string {
  const { found, strategy = "" } = retrieval;
  return [readPart(retrieval), found ? STRATEGIES[strategy] : ""].filter(Boolean).join(" · ");
}

/** How far the files back what a model wrote; other answers are quotes. */
export function reliability({ strategy, found, sentences, supported }: Retrieval): string {
  if (!found || !MODEL_STRATEGIES.includes(strategy ?? "")) return "";
  const text = "Written by the model, not verified.";
  if (!sentences || supported === null || supported === undefined) return text;
  const share = `${supported} of ${counted(sentences, "sentence")}`;
  return `${text} ${share} have a similar passage in the files, which is no proof.`;
}

export function placeOf({ page, heading }: Pick<Citation, "page" | "heading">): string {
  return [page ? `page ${page}` : "", heading].filter(Boolean).join(" · ");
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function readPart(retrieval: Retrieval): string {
  const { read, of } = retrieval;
  if (typeof read !== "number" || typeof of !== "number") return "";
  if (read < of) return `Read ${read} of ${counted(of, "passage")} from ${names(retrieval)}`;
  return `Read all ${of > 1 ? `${counted(of, "passage")} ` : ""}of ${names(retrieval)}`;
}

function names({ passages = [], files }: Retrieval): string {
  const all = [...new Set(passages.map(({ filename }) => filename))];
  const count = Math.max(files ?? 0, all.length);
  if (all.length === 0) return counted(count, "file");
  const hidden = count - Math.min(all.length, MAX_NAMES);
  const shown = all.slice(0, MAX_NAMES).join(", ");
  return hidden > 0 ? `${shown} and ${counted(hidden, "other file")}` : shown;
}
