/** The states of the API and its model server, and what a person does next in each. */
import type { Health } from "./queries";

export type ServiceState = {
  name: string;
  color: "green" | "orange" | "red" | "gray";
  /** What to do, where the API's own message does not say it. */
  nextStep?: string;
};

type State = Health["model_server"]["state"];
export type StateName = State | "checking" | "unknown" | "api_down";

export const states: Record<StateName, ServiceState> = {
  ready: { name: "Ready", color: "green" },
  loading: {
    name: "Loading model",
    color: "orange",
    nextStep: "This page notices when it is loaded. Messages that you send now wait for it.",
  },
  load_failed: {
    name: "Model did not load",
    color: "red",
    nextStep:
      "Free memory by closing other programs, or choose a smaller model (MODEL_ID). The log of the model server says more.",
  },
  model_missing: { name: "Model not found", color: "red" },
  silent: { name: "Not responding", color: "orange" },
  unreachable: {
    name: "Model server offline",
    color: "red",
    nextStep: "Start it, or set DMR_BASE_URL to where it runs and restart SmolChat.",
  },
  invalid: {
    name: "Not a model server",
    color: "red",
    nextStep: "Set DMR_BASE_URL to an OpenAI-compatible server and restart SmolChat.",
  },
  checking: { name: "Checking", color: "gray" },
  unknown: { name: "Unknown", color: "gray" },
  api_down: {
    name: "API offline",
    color: "red",
    nextStep:
      "Start SmolChat again with `make run`. This page reconnects by itself; what you have typed is kept.",
  },
};

type Asked = { data?: Health | undefined; isError: boolean };

/** Return the state after the API was asked; an answer of before it failed does not count. */
export function stateOf({ data, isError }: Asked): StateName {
  if (isError) return "api_down";
  return data?.model_server.state ?? "checking";
}
