/** Structured output: a schema and a prompt beside the JSON that matches it, or a benchmark. */
import { useQuery } from "@tanstack/react-query";
import { Play, Square } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/button";
import { Input } from "@/components/input";
import { RadioPill } from "@/components/radio-pill";
import { ModelPicker } from "@/models/model-picker";
import { PageHeader } from "@/routes/page-header";
import { METHODS, type Method } from "./benchmark";
import { AboutMethods, BenchmarkPane } from "./benchmark-pane";
import { CUSTOM, examplePrompt, firstChoice } from "./examples";
import { responseTypes } from "./queries";
import type { Inputs, Target } from "./request";
import { ResultPane } from "./result-pane";
import { SchemaPane } from "./schema-pane";
import { parseSchema } from "./schema-text";
import { useBenchmark } from "./use-benchmark";
import { type Fields, readParameters, useInputs } from "./use-inputs";
import { useRun } from "./use-run";

const MODES = ["Generate", "Benchmark"] as const;
const MAX_REPETITIONS = 200;

export function StructuredPage() {
  const { fields: stored, change } = useInputs();
  const { data: types = [], isPending } = useQuery(responseTypes);
  const fields = withDefaults(stored, firstChoice(types));
  const [mode, setMode] = useState<(typeof MODES)[number]>("Generate");
  const [methods, setMethods] = useState<Method[]>([...METHODS]);
  const [repetitions, setRepetitions] = useState("10");
  const [hint, setHint] = useState("");
  const generation = useRun();
  const benchmarking = useBenchmark();
  const isActive = generation.run?.state === "active" || benchmarking.benchmark?.state === "active";
  const target = targetOf(fields, types);
  const start = useFocusAfter(isActive);

  const run = (changes: Partial<Fields> = {}) => {
    const checked = checkInputs({ ...fields, ...changes }, target);
    setHint(checked.hint ?? "");
    if (checked.inputs === undefined) return;
    if (mode === "Generate") {
      benchmarking.stop();
      generation.start(checked.inputs);
      return;
    }
    const count = Number(repetitions);
    if (!(Number.isInteger(count) && count >= 1 && count <= MAX_REPETITIONS)) {
      setHint(`Runs per method must be a whole number from 1 to ${MAX_REPETITIONS}.`);
    } else if (methods.length === 0) {
      setHint("Choose a method first.");
    } else {
      generation.stop();
      benchmarking.start({ inputs: checked.inputs, methods, repetitions: count });
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    run();
  };
  const stop = () => {
    generation.stop();
    benchmarking.stop();
  };
  const retryWith = (tokens: number) => {
    change({ maxTokens: String(tokens) });
    run({ maxTokens: String(tokens) });
  };

  return (
    <>
      <PageHeader title="Structured output">
        <ModelPicker model={fields.model} onChange={(model) => change({ model })} />
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto grid w-full max-w-7xl gap-6 p-4 sm:p-6 lg:grid-cols-2">
          <form onSubmit={submit} className="flex min-w-0 flex-col gap-4">
            <p className="text-muted-foreground">
              Pick a schema and describe the content. Output is validated.
            </p>
            <SchemaPane handle={{ fields, change }} />
            <ModeChoice mode={mode} onChange={setMode} />
            {mode === "Benchmark" ? (
              <PlanFields
                methods={methods}
                onMethods={setMethods}
                repetitions={repetitions}
                onRepetitions={setRepetitions}
              />
            ) : null}
            <div className="flex items-center gap-2">
              <Button type="submit" variant="primary" ref={start} disabled={isPending}>
                <Play /> {mode === "Generate" ? "Run" : "Run benchmark"}
              </Button>
              {isActive ? (
                <Button onClick={stop}>
                  <Square /> Stop
                </Button>
              ) : null}
            </div>
            <p role="status" className="text-warning-foreground empty:hidden">
              {hint}
            </p>
          </form>
          <section
            aria-label={mode === "Generate" ? "Output" : "Results"}
            className="min-w-0 rounded-lg border p-4 lg:min-h-96"
          >
            {mode === "Generate" ? (
              <GenerateResult
                handle={generation}
                fields={fields}
                target={target}
                onRetry={run}
                onMoreTokens={retryWith}
              />
            ) : (
              <BenchmarkResult handle={benchmarking} onRetry={run} />
            )}
          </section>
        </div>
      </div>
    </>
  );
}

/** When Stop goes, and the focus with it, the button that starts again gets it. */
function useFocusAfter(isActive: boolean) {
  const start = useRef<HTMLButtonElement>(null);
  const wasActive = useRef(false);
  useEffect(() => {
    const hasEnded = wasActive.current && !isActive;
    wasActive.current = isActive;
    if (hasEnded && document.activeElement === document.body) start.current?.focus();
  }, [isActive]);
  return start;
}

type GenerateProps = {
  handle: ReturnType<typeof useRun>;
  fields: Fields;
  target: Target | undefined;
  onRetry: () => void;
  onMoreTokens: (tokens: number) => void;
};

function GenerateResult({ handle, fields, target, onRetry, onMoreTokens }: GenerateProps) {
  const { run } = handle;
  if (run === undefined) return <p className="text-muted-foreground">Output appears here</p>;
  return (
    <ResultPane
      run={run}
      earlier={earlierLabel(run.inputs, target, fields.prompt)}
      onRetry={onRetry}
      onMoreTokens={onMoreTokens}
    />
  );
}

type BenchmarkProps = { handle: ReturnType<typeof useBenchmark>; onRetry: () => void };

function BenchmarkResult({ handle: { benchmark }, onRetry }: BenchmarkProps) {
  return (
    <div className="flex flex-col gap-4">
      {benchmark === undefined ? (
        <p className="text-muted-foreground">
          Measures how often each method returns valid output. Takes a few minutes.
        </p>
      ) : (
        <BenchmarkPane benchmark={benchmark} onRetry={onRetry} />
      )}
      <AboutMethods />
    </div>
  );
}

type ModeProps = {
  mode: (typeof MODES)[number];
  onChange: (mode: (typeof MODES)[number]) => void;
};

function ModeChoice({ mode, onChange }: ModeProps) {
  return (
    <fieldset className="flex w-fit rounded-full border p-0.5">
      <legend className="sr-only">Mode</legend>
      {MODES.map((name) => (
        <RadioPill
          key={name}
          name="mode"
          isChecked={name === mode}
          onCheck={() => onChange(name)}
          className="px-4 py-1"
        >
          {name}
        </RadioPill>
      ))}
    </fieldset>
  );
}

type PlanProps = {
  methods: Method[];
  onMethods: (methods: Method[]) => void;
  repetitions: string;
  onRepetitions: (repetitions: string) => void;
};

function PlanFields({ methods, onMethods, repetitions, onRepetitions }: PlanProps) {
  const toggle = (method: Method) =>
    onMethods(METHODS.filter((name) => (name === method) !== methods.includes(name)));
  return (
    <div className="flex flex-wrap items-end gap-4">
      <Input
        label="Runs per method"
        inputMode="numeric"
        value={repetitions}
        onChange={(event) => onRepetitions(event.target.value)}
        className="w-36"
      />
      <fieldset className="flex flex-wrap gap-x-4 gap-y-1">
        <legend className="mb-1">Methods</legend>
        {METHODS.map((method) => (
          <label key={method} className="flex items-center gap-1.5 touch:min-h-11">
            <input
              type="checkbox"
              checked={methods.includes(method)}
              onChange={() => toggle(method)}
              className="size-4 accent-(--primary)"
            />
            {method}
          </label>
        ))}
      </fieldset>
    </div>
  );
}

/** Before a schema was chosen, it is the first registered one. */
function withDefaults(fields: Fields, firstType: string | undefined): Fields {
  if (fields.schemaName !== "") return fields;
  const schemaName = firstType ?? CUSTOM;
  return { ...fields, schemaName, prompt: fields.prompt || examplePrompt(schemaName) };
}

function targetOf(
  fields: Fields,
  types: { name: string; schema: Record<string, unknown> }[],
): Target | undefined {
  const type = types.find(({ name }) => name === fields.schemaName);
  if (type !== undefined) return { schema: type.schema, name: type.name };
  const { schema } = parseSchema(fields.schemaText);
  return schema && { schema };
}

function checkInputs(
  fields: Fields,
  target: Target | undefined,
): { inputs?: Inputs; hint?: string } {
  const { prompt, model, requiresMentioned } = fields;
  const { parameters, problem } = readParameters(fields);
  if (target === undefined) return { hint: "Fix the schema first." };
  if (prompt.trim() === "") return { hint: "Enter a prompt first." };
  if (parameters === undefined) return { hint: problem };
  return { inputs: { target, prompt, model, parameters, requiresMentioned } };
}

/** Mark an output if the schema or the prompt was changed since. */
function earlierLabel(inputs: Inputs, target: Target | undefined, prompt: string): string {
  const isSchema = JSON.stringify(inputs.target) !== JSON.stringify(target);
  const changed = [isSchema && "schema", inputs.prompt !== prompt && "prompt"].filter(Boolean);
  return changed.length > 0 ? `For an earlier ${changed.join(" and ")}` : "";
}
