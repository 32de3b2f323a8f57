/** A setting that is on or off. After shadcn/ui (MIT, see LICENSE-shadcn.txt). */
import { Switch as RadixSwitch } from "radix-ui";
import { useId } from "react";

type Props = {
  label: string;
  help?: string;
  isOn: boolean;
  isDisabled?: boolean;
  onChange: (isOn: boolean) => void;
};

export function Switch({ label, help, isOn, isDisabled = false, onChange }: Props) {
  const id = useId();
  return (
    <div className="flex items-start gap-3 py-1.5 touch:min-h-11">
      <label htmlFor={id} className="min-w-0 flex-1">
        {label}
        {help ? <span className="block text-muted-foreground text-xs">{help}</span> : null}
      </label>
      <RadixSwitch.Root
        id={id}
        checked={isOn}
        disabled={isDisabled}
        onCheckedChange={onChange}
        className="mt-0.5 h-5 w-9 shrink-0 rounded-full border border-input bg-muted p-px transition-colors disabled:opacity-50 data-[state=checked]:border-primary data-[state=checked]:bg-primary"
      >
        <RadixSwitch.Thumb className="block size-4 rounded-full bg-foreground transition-transform data-[state=checked]:translate-x-4 data-[state=checked]:bg-primary-foreground" />
      </RadixSwitch.Root>
    </div>
  );
}
