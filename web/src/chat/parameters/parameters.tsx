/** Everything that a request is sent with, and where each value comes from. */
import { useQuery } from "@tanstack/react-query";
import { Dices } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Button } from "@/components/button";
import { Input } from "@/components/input";
import { Switch } from "@/components/switch";
import { BUILT_IN_PRESETS, presetList } from "@/presets/queries";
import type { SettingsHandle } from "../use-settings";
import { CompareFields } from "./compare-fields";
import {
  additional,
  COMMON,
  type Field,
  fromLines,
  MORE,
  parseAdditional,
  parseSeed,
  TEXT_FIELDS,
  toLines,
  type Parameters as Values,
} from "./fields";
import { NumberField } from "./number-field";
import { matchingPreset, PresetPicker } from "./preset-picker";
import { ToolSwitches } from "./tool-switches";

const TOP_LOGPROBS = 5;
const AREA = "w-full rounded-md border border-input bg-background px-3 py-2";

export default function Parameters({ handle }: { handle: SettingsHandle }) {
  const { settings, change, defaults } = handle;
  const { parameters } = settings;
  const presets = useQuery(presetList).data ?? BUILT_IN_PRESETS;
  const preset = matchingPreset(presets, settings)?.parameters ?? {};
  const set = (changes: Values) => change({ parameters: withChanges(parameters, changes) });
  const numbers = (fields: Field[]) =>
    fields.map((field) => (
      <NumberField
        key={field.name}
        field={field}
        value={asNumber(parameters[field.name])}
        fallback={defaults[field.name]}
        source={sourceOf(field.name, parameters, preset, defaults)}
        onChange={(value) => set({ [field.name]: value })}
      />
    ));
  return (
    <div className="flex flex-col gap-4">
      <PresetPicker settings={settings} change={change} />
      <label className="flex flex-col gap-1">
        System prompt
        <textarea
          value={settings.system}
          onChange={(event) => change({ system: event.target.value })}
          rows={3}
          dir="auto"
          placeholder="None"
          className={AREA}
        />
      </label>
      <div>
        {numbers(COMMON)}
        <SeedField seed={parameters.seed} onChange={(seed) => set({ seed })} />
        <Switch
          label="Token probabilities"
          help="Answers tell how confident the model was of each token."
          isOn={parameters.logprobs === true}
          onChange={(isOn) =>
            set({
              logprobs: isOn ? true : undefined,
              top_logprobs: isOn ? TOP_LOGPROBS : undefined,
            })
          }
        />
      </div>
      <CompareFields />
      <Group name="Tools" isOpen={settings.tools.length > 0}>
        <ToolSwitches tools={settings.tools} onChange={(tools) => change({ tools })} />
      </Group>
      <Group name="More parameters" isOpen={false}>
        {numbers(MORE)}
        {TEXT_FIELDS.map(({ name, label, help, max }) => (
          <LinesField
            key={name}
            label={label}
            help={help}
            value={parameters[name]}
            onChange={(lines) =>
              set({ [name]: lines.length > 0 ? lines.slice(0, max) : undefined })
            }
          />
        ))}
        <AdditionalField
          parameters={parameters}
          onChange={(next) => change({ parameters: next })}
        />
      </Group>
    </div>
  );
}

function Group({ name, isOpen, children }: { name: string; isOpen: boolean; children: ReactNode }) {
  return (
    <details open={isOpen} className="rounded-md border px-3 py-2">
      <summary className="font-medium touch:min-h-11">{name}</summary>
      <div className="pt-2">{children}</div>
    </details>
  );
}

function SeedField({
  seed,
  onChange,
}: {
  seed: unknown;
  onChange: (seed: number | undefined) => void;
}) {
  const [typed, setTyped] = useState<string>();
  const text = typed ?? (typeof seed === "number" ? String(seed) : "");
  const isInvalid = text !== "" && parseSeed(text) === undefined;
  return (
    <div className="flex items-end gap-2 py-1.5">
      <Input
        label="Seed"
        inputMode="numeric"
        autoComplete="off"
        placeholder="random"
        title="The same seed and settings give the same response, unless the model serves other requests at the same time."
        value={text}
        error={isInvalid ? "A whole number, or -1 for a random one." : undefined}
        onChange={(event) => {
          setTyped(event.target.value);
          onChange(parseSeed(event.target.value));
        }}
        onBlur={() => setTyped(undefined)}
        className="flex-1"
      />
      <Button
        size="sm"
        onClick={() => {
          setTyped(undefined);
          onChange(Math.floor(Math.random() * 2 ** 31));
        }}
      >
        <Dices aria-hidden />
        New seed
      </Button>
    </div>
  );
}

type LinesProps = {
  label: string;
  help: string;
  value: unknown;
  onChange: (lines: string[]) => void;
};

function LinesField({ label, help, value, onChange }: LinesProps) {
  const [typed, setTyped] = useState<string>();
  return (
    <label className="flex flex-col gap-1 py-1.5">
      {label}
      <textarea
        value={typed ?? toLines(value)}
        onChange={(event) => {
          setTyped(event.target.value);
          onChange(fromLines(event.target.value));
        }}
        onBlur={() => setTyped(undefined)}
        rows={2}
        spellCheck={false}
        className={`${AREA} font-mono text-sm`}
      />
      <span className="text-muted-foreground text-xs">{help}</span>
    </label>
  );
}

type AdditionalProps = { parameters: Values; onChange: (parameters: Values) => void };

/** Parameters without a field of their own, as JSON: what is wrong is said while it is typed. */
function AdditionalField({ parameters, onChange }: AdditionalProps) {
  const id = useId();
  const own = additional(parameters);
  const stored = Object.keys(own).length > 0 ? JSON.stringify(own, null, 2) : "";
  const [typed, setTyped] = useState<string>();
  const text = typed ?? stored;
  const parsed = parseAdditional(text);
  const problem = typeof parsed === "string" ? parsed : undefined;
  return (
    <div className="flex flex-col gap-1 py-1.5">
      <label htmlFor={id}>Additional parameters (JSON)</label>
      <textarea
        id={id}
        value={text}
        rows={3}
        spellCheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={(event) => {
          setTyped(event.target.value);
          const next = parseAdditional(event.target.value);
          if (typeof next === "string") return;
          const others = Object.entries(parameters).filter(([name]) => !(name in own));
          onChange({ ...Object.fromEntries(others), ...next });
        }}
        onBlur={() => problem === undefined && setTyped(undefined)}
        className={`${AREA} font-mono text-sm`}
      />
      {problem === undefined ? null : (
        <p id={`${id}-problem`} className="text-destructive-foreground text-sm">
          {problem}
        </p>
      )}
    </div>
  );
}

/** Where the value in effect comes from. */
function sourceOf(name: string, parameters: Values, preset: Values, defaults: Values): string {
  if (parameters[name] !== undefined) return name in preset ? "preset" : "this chat";
  return defaults[name] === undefined ? "server default" : "model default";
}

function withChanges(parameters: Values, changes: Values): Values {
  const next = { ...parameters, ...changes };
  return Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined));
}

function asNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
