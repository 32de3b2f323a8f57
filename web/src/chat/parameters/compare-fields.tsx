/** How many answers a message gets, and from which models or presets. */
import { useQuery } from "@tanstack/react-query";
import { modelList } from "@/models/queries";
import { BUILT_IN_PRESETS, presetList } from "@/presets/queries";
import { MAX_ANSWERS, setComparison, useComparison } from "../compare";

export function CompareFields() {
  const { count, models, presets } = useComparison();
  const available = useQuery(modelList).data?.data ?? [];
  const known = useQuery(presetList).data ?? BUILT_IN_PRESETS;
  const isComparing = models.length > 1 || presets.length > 1;
  return (
    <div className="flex flex-col gap-3">
      <fieldset disabled={isComparing}>
        <legend className="mb-1">Responses per message</legend>
        <div className="flex gap-1">
          {Array.from({ length: MAX_ANSWERS }, (_, index) => index + 1).map((number) => (
            <label
              key={number}
              className="flex h-8 flex-1 items-center justify-center rounded-md border has-checked:border-primary has-checked:bg-muted has-checked:text-ember has-disabled:opacity-50 has-focus-visible:outline-2 touch:h-11"
            >
              <input
                type="radio"
                name="responses"
                className="sr-only"
                checked={count === number}
                onChange={() => setComparison({ count: number })}
              />
              {number}
            </label>
          ))}
        </div>
      </fieldset>
      {available.length > 1 ? (
        <Choices
          legend="Compare models"
          names={available.map(({ id }) => id)}
          chosen={models}
          onChange={(next) => setComparison({ models: next })}
        />
      ) : null}
      {models.length > 1 ? null : (
        <Choices
          legend="Compare presets"
          names={known.map(({ name }) => name)}
          chosen={presets}
          onChange={(next) => setComparison({ presets: next })}
        />
      )}
    </div>
  );
}

type ChoicesProps = {
  legend: string;
  names: string[];
  chosen: string[];
  onChange: (chosen: string[]) => void;
};

function Choices({ legend, names, chosen, onChange }: ChoicesProps) {
  const toggle = (name: string, isChosen: boolean) =>
    onChange(isChosen ? [...chosen, name] : chosen.filter((other) => other !== name));
  return (
    <fieldset>
      <legend className="mb-1">{legend}</legend>
      {names.map((name) => (
        <label key={name} className="flex items-center gap-2 py-1 touch:min-h-11">
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            disabled={!chosen.includes(name) && chosen.length >= MAX_ANSWERS}
            onChange={(event) => toggle(name, event.target.checked)}
          />
          <span className="min-w-0 truncate">{name}</span>
        </label>
      ))}
      {chosen.length === 1 ? (
        <p className="text-muted-foreground text-sm">Choose another one to compare it with.</p>
      ) : null}
    </fieldset>
  );
}
