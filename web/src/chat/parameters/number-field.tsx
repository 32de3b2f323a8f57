/** One parameter: a slider and a field that show the value in effect, where it comes from, a reset. */
import { RotateCcw } from "lucide-react";
import { Slider } from "radix-ui";
import { useId, useState } from "react";
import { IconButton } from "@/components/icon-button";
import { type Field, parseNumber } from "./fields";

type Props = {
  field: Field;
  /** What was chosen. */
  value: number | undefined;
  /** What suits the model; undefined: the model server decides. */
  fallback: number | undefined;
  source: string;
  onChange: (value: number | undefined) => void;
};

export function NumberField({ field, value, fallback, source, onChange }: Props) {
  const id = useId();
  const shown = value ?? fallback;
  const { label, help, min, max, slider = max, step, neutral } = field;
  return (
    <div className="py-1.5">
      <div className="flex items-center gap-2">
        <label htmlFor={id} className="min-w-0 flex-1" title={help}>
          {label}
          <span className="ms-2 text-muted-foreground text-xs">{source}</span>
        </label>
        <IconButton
          label={`Reset ${label}`}
          onClick={() => onChange(undefined)}
          className={value === undefined ? "invisible" : ""}
        >
          <RotateCcw />
        </IconButton>
        <NumberInput id={id} field={field} value={shown} onChange={onChange} />
      </div>
      <Slider.Root
        min={Math.max(min, Math.min(0, neutral))}
        max={slider}
        step={step}
        value={[Math.min(slider, shown ?? neutral)]}
        onValueChange={([next]) => onChange(next)}
        className="relative flex h-5 touch-none select-none items-center touch:h-11"
      >
        <Slider.Track className="relative h-1 flex-1 rounded-full bg-border">
          <Slider.Range className="absolute h-full rounded-full bg-primary" />
        </Slider.Track>
        <Slider.Thumb
          aria-label={label}
          className="block size-4 rounded-full border-2 border-primary bg-background"
        />
      </Slider.Root>
    </div>
  );
}

type InputProps = Pick<Props, "field" | "onChange"> & { id: string; value: number | undefined };

/** What is typed counts at once; what is no number within the bounds is said, and does not. */
function NumberInput({ id, field, value, onChange }: InputProps) {
  const [typed, setTyped] = useState<string>();
  const isInvalid = typed !== undefined && typed !== "" && parseNumber(typed, field) === undefined;
  return (
    <input
      id={id}
      inputMode="decimal"
      autoComplete="off"
      placeholder="server"
      title={field.help}
      value={typed ?? (value === undefined ? "" : String(value))}
      aria-invalid={isInvalid}
      onChange={(event) => {
        setTyped(event.target.value);
        const number = parseNumber(event.target.value, field);
        if (number !== undefined) onChange(number);
        else if (event.target.value === "") onChange(undefined);
      }}
      onBlur={() => setTyped(undefined)}
      className="w-20 rounded-md border border-input bg-background px-2 py-1 text-end tabular-nums aria-invalid:border-destructive-foreground aria-invalid:text-destructive-foreground touch:min-h-11"
    />
  );
}
