/** Chooses, saves and deletes presets. */
import { useQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { errorMessage } from "@/api/errors";
import { Button } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { FIELD, Input } from "@/components/input";
import {
  BUILT_IN_PRESETS,
  deletePreset,
  type Preset,
  presetList,
  savePreset,
} from "@/presets/queries";
import type { ChatSettings } from "../request";

const MAX_NAME_CHARACTERS = 60;

type Props = { settings: ChatSettings; change: (changes: Partial<ChatSettings>) => void };

export function PresetPicker({ settings, change }: Props) {
  const presets = useQuery(presetList).data ?? BUILT_IN_PRESETS;
  const selected = matchingPreset(presets, settings);
  const [isSaving, setSaving] = useState(false);
  const [problem, setProblem] = useState<string>();
  const remove = (name: string) =>
    deletePreset(name).catch((error) => setProblem(errorMessage(error)));
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-end gap-1">
        <label className="flex min-w-0 flex-1 flex-col gap-1">
          Preset
          <select
            className={FIELD}
            value={selected?.name ?? ""}
            onChange={(event) => {
              const preset = presets.find(({ name }) => name === event.target.value);
              if (preset !== undefined) change(presetSettings(preset, settings));
            }}
          >
            {selected === undefined ? <option value="">Custom</option> : null}
            {presets.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        {selected === undefined || selected.isBuiltIn ? null : (
          <IconButton label="Delete preset" onClick={() => remove(selected.name)}>
            <Trash2 />
          </IconButton>
        )}
      </div>
      {isSaving ? (
        <SaveForm settings={settings} onClose={() => setSaving(false)} />
      ) : (
        <Button size="sm" className="self-start" onClick={() => setSaving(true)}>
          Save preset…
        </Button>
      )}
      {problem === undefined ? null : (
        <p role="alert" className="text-destructive-foreground text-sm">
          {problem}
        </p>
      )}
    </div>
  );
}

function SaveForm({ settings, onClose }: { settings: ChatSettings; onClose: () => void }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();
  const isReserved = BUILT_IN_PRESETS.some((preset) => preset.name === name.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "" || isReserved) return;
    savePreset(name.trim(), presetParameters(settings)).then(onClose, (error) =>
      setProblem(errorMessage(error)),
    );
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Input
        label="Name"
        autoFocus
        value={name}
        maxLength={MAX_NAME_CHARACTERS}
        error={isReserved ? "This name is built in." : problem}
        onChange={(event) => setName(event.target.value)}
      />
      <p className="text-muted-foreground text-sm">
        Saves the parameters, the system prompt and the tools.
      </p>
      <div className="flex gap-2">
        <Button size="sm" variant="primary" type="submit">
          Save
        </Button>
        <Button size="sm" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

/** What a preset is stored as. */
export function presetParameters({ parameters, system, tools }: ChatSettings) {
  return { ...parameters, smolchat: { tools, system_prompt: system } };
}

/** Return the settings that a preset changes: a built-in one leaves prompt and tools as they are. */
export function presetSettings(preset: Preset, settings: ChatSettings): Partial<ChatSettings> {
  const { smolchat, ...parameters } = preset.parameters;
  const { tools, system_prompt: system } = (smolchat ?? {}) as {
    tools?: string[];
    system_prompt?: string | null;
  };
  return {
    parameters,
    system: system ?? settings.system,
    tools: preset.isBuiltIn ? settings.tools : (tools ?? []),
  };
}

/** Return the preset that the settings are those of, saved ones first. */
export function matchingPreset(presets: Preset[], settings: ChatSettings): Preset | undefined {
  const current = canonical({ ...settings });
  return presets
    .toReversed()
    .find((preset) => canonical({ ...settings, ...presetSettings(preset, settings) }) === current);
}

function canonical({ parameters, system, tools }: ChatSettings): string {
  const sorted = Object.entries(parameters).sort(([one], [other]) => one.localeCompare(other));
  return JSON.stringify([sorted, system, tools.toSorted()]);
}
