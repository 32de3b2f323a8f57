/** The left pane: which schema, the prompt, and the parameters of the request. */
import { useQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import { CircleCheck, Pencil } from "lucide-react";
import { type KeyboardEvent, useId } from "react";
import { Button } from "@/components/button";
import { Callout, ErrorCallout } from "@/components/callout";
import { FIELD, Input } from "@/components/input";
import { RadioPill } from "@/components/radio-pill";
import { Spinner } from "@/components/spinner";
import { CUSTOM } from "./examples";
import { JsonCode } from "./json-code";
import { type ResponseType, responseTypes } from "./queries";
import { parseSchema, summarize } from "./schema-text";
import type { FieldsHandle } from "./use-inputs";

export function SchemaPane({ handle }: { handle: FieldsHandle }) {
  const { fields, change } = handle;
  const types = useQuery(responseTypes);
  return (
    <div className="flex flex-col gap-4">
      {types.isError ? (
        <ErrorCallout error={types.error} onRetry={() => void types.refetch()} />
      ) : null}
      {/* Until they are known, nothing can be chosen: the first of them is what is chosen then. */}
      {types.isPending ? <Spinner /> : <SchemaFields types={types.data ?? []} handle={handle} />}
      <PromptField handle={handle} />
      <label className="flex items-start gap-2.5 touch:min-h-11">
        <input
          type="checkbox"
          checked={fields.requiresMentioned}
          onChange={(event) => change({ requiresMentioned: event.target.checked })}
          className="mt-1 size-4 accent-(--primary)"
        />
        <span>
          Require mentioned fields
          <span className="block text-muted-foreground text-sm">
            Optional top-level fields that the prompt mentions become required.
          </span>
        </span>
      </label>
      <ParameterFields handle={handle} />
    </div>
  );
}

function SchemaFields({ types, handle }: { types: ResponseType[]; handle: FieldsHandle }) {
  const { fields, change } = handle;
  const selected = types.find(({ name }) => name === fields.schemaName);
  return (
    <>
      <SchemaChoice types={types} handle={handle} />
      {selected === undefined ? (
        <SchemaEditor
          text={fields.schemaText}
          onChange={(schemaText) => change({ schemaName: CUSTOM, schemaText })}
        />
      ) : (
        <RegisteredSchema type={selected} handle={handle} />
      )}
    </>
  );
}

function SchemaChoice({ types, handle }: { types: ResponseType[]; handle: FieldsHandle }) {
  const { fields, change } = handle;
  const names = [...types.map(({ name }) => name), CUSTOM];
  const selected = names.includes(fields.schemaName) ? fields.schemaName : CUSTOM;
  return (
    <fieldset>
      <legend className="mb-1.5">Schema</legend>
      <div className="flex flex-wrap gap-2">
        {names.map((name) => (
          <RadioPill
            key={name}
            name="schema"
            isChecked={name === selected}
            onCheck={() => change({ schemaName: name })}
            className="border px-3 py-1"
            checkedClassName="border-primary"
          >
            {name === CUSTOM ? "Custom schema" : labelOf(name)}
          </RadioPill>
        ))}
      </div>
    </fieldset>
  );
}

export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function RegisteredSchema({ type, handle }: { type: ResponseType; handle: FieldsHandle }) {
  const text = JSON.stringify(type.schema, null, 2);
  return (
    <div>
      {type.description ? <p className="text-muted-foreground">{type.description}</p> : null}
      <details className="mt-1">
        <summary className="py-1 touch:py-2.5">View schema</summary>
        <JsonCode text={text} label="Schema" />
        <Button
          size="sm"
          variant="ghost"
          className="mt-1"
          onClick={() => handle.change({ schemaName: CUSTOM, schemaText: text })}
        >
          <Pencil /> Edit a copy
        </Button>
      </details>
    </div>
  );
}

type EditorProps = { text: string; onChange: (text: string) => void };

function SchemaEditor({ text, onChange }: EditorProps) {
  const id = useId();
  const { schema, problem, line, column } = parseSchema(text);
  const format = () => schema !== undefined && onChange(JSON.stringify(schema, null, 2));
  return (
    <div className="flex flex-col gap-1">
      <div className="flex items-end justify-between gap-2">
        <label htmlFor={id}>JSON Schema</label>
        <Button size="sm" variant="ghost" disabled={schema === undefined} onClick={format}>
          Format
        </Button>
      </div>
      <textarea
        id={id}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        rows={16}
        spellCheck={false}
        autoCapitalize="off"
        dir="ltr"
        aria-invalid={schema === undefined}
        aria-describedby={`${id}-state`}
        className={clsx(FIELD, "resize-y font-mono text-sm")}
      />
      <div id={`${id}-state`} role="status">
        {schema === undefined ? (
          <Callout kind="warning">
            {problem}
            {line === undefined ? null : ` At line ${line}, column ${column}.`}
          </Callout>
        ) : (
          <p className="flex items-center gap-1.5 text-sm text-success-foreground">
            <CircleCheck aria-hidden className="size-4" />
            {["Valid JSON", summarize(schema)].filter(Boolean).join(": ")}
          </p>
        )}
      </div>
    </div>
  );
}

function PromptField({ handle }: { handle: FieldsHandle }) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id}>Prompt</label>
      <textarea
        id={id}
        value={handle.fields.prompt}
        onChange={(event) => handle.change({ prompt: event.target.value })}
        onKeyDown={submitOnCtrlEnter}
        rows={4}
        dir="auto"
        placeholder="Describe what the output should contain."
        className={clsx(FIELD, "resize-y")}
      />
    </div>
  );
}

function submitOnCtrlEnter(event: KeyboardEvent<HTMLTextAreaElement>) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}

function ParameterFields({ handle }: { handle: FieldsHandle }) {
  const { fields, change } = handle;
  return (
    <div className="grid grid-cols-2 gap-3 sm:grid-cols-3">
      <Input
        label="Max tokens"
        inputMode="numeric"
        placeholder="1024"
        value={fields.maxTokens}
        onChange={(event) => change({ maxTokens: event.target.value })}
      />
      <Input
        label="Temperature"
        inputMode="decimal"
        placeholder="default"
        value={fields.temperature}
        onChange={(event) => change({ temperature: event.target.value })}
      />
      <Input
        label="Seed"
        inputMode="numeric"
        placeholder="random"
        value={fields.seed}
        onChange={(event) => change({ seed: event.target.value })}
      />
    </div>
  );
}
