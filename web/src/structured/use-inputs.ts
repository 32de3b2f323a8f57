/** What a person entered on the page, kept in this browser. */
import { useEffect, useState } from "react";
import { readNewChatSettings } from "@/chat/settings";
import { CUSTOM_SCHEMA_TEXT, examplePrompt, isExample } from "./examples";

const STORAGE_KEY = "smolchat.structured";

export type Fields = {
  /** The name of a registered schema, or CUSTOM. Empty until the registered ones are known. */
  schemaName: string;
  schemaText: string;
  prompt: string;
  requiresMentioned: boolean;
  model: string | null;
  /** As typed; empty is left to the API. */
  maxTokens: string;
  temperature: string;
  seed: string;
};

export type FieldsHandle = { fields: Fields; change: (changes: Partial<Fields>) => void };

function initialFields(): Fields {
  return {
    schemaName: "",
    schemaText: CUSTOM_SCHEMA_TEXT,
    prompt: "",
    requiresMentioned: true,
    model: readNewChatSettings().model,
    maxTokens: "",
    temperature: "",
    seed: "",
  };
}

export function useInputs(): FieldsHandle {
  const [fields, setFields] = useState(readStored);
  useEffect(() => {
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify(fields));
    } catch {
      // Without storage they last as long as the page.
    }
  }, [fields]);
  const change = (changes: Partial<Fields>) => setFields((now) => withExample(now, changes));
  return { fields, change };
}

/** The prompt follows the schema until a person writes their own. */
function withExample(now: Fields, changes: Partial<Fields>): Fields {
  const { schemaName } = changes;
  const follows = schemaName !== undefined && isExample(now.prompt);
  return { ...now, ...changes, ...(follows ? { prompt: examplePrompt(schemaName) } : {}) };
}

function readStored(): Fields {
  const initial = initialFields();
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    const known = Object.entries(initial).map(([name, value]) => {
      const kept = (stored as Record<string, unknown> | null)?.[name];
      return [name, kept === null || typeof kept === typeof value ? (kept ?? value) : value];
    });
    return Object.fromEntries(known) as Fields;
  } catch {
    return initial;
  }
}

export type Parameters =
  | { parameters: Record<string, number>; problem?: undefined }
  | { parameters?: undefined; problem: string };

const RULES = [
  { field: "maxTokens", name: "max_tokens", label: "Max tokens", low: 1, high: 1e6, isWhole: true },
  {
    field: "temperature",
    name: "temperature",
    label: "Temperature",
    low: 0,
    high: 5,
    isWhole: false,
  },
  { field: "seed", name: "seed", label: "Seed", low: -1, high: 2 ** 31 - 1, isWhole: true },
] as const;

/** Return the parameters that are set, or what is wrong with one. */
export function readParameters(fields: Pick<Fields, (typeof RULES)[number]["field"]>): Parameters {
  const parameters: Record<string, number> = {};
  for (const { field, name, label, low, high, isWhole } of RULES) {
    const text = fields[field].trim();
    if (text === "") continue;
    const value = Number(text);
    if (!(value >= low && value <= high) || (isWhole && !Number.isInteger(value))) {
      const kind = isWhole ? "a whole number" : "a number";
      return { problem: `${label} must be ${kind} from ${low} to ${high.toLocaleString("en")}.` };
    }
    parameters[name] = value;
  }
  return { parameters };
}
