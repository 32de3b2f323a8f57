/** A labelled field of text. */
import { clsx } from "clsx";
import { type ComponentProps, useId } from "react";

type Props = ComponentProps<"input"> & { label: string; error?: string | undefined };

export const FIELD =
  "w-full rounded-md border border-input bg-background px-3 py-1.5 placeholder:text-muted-foreground touch:min-h-11";

export function Input({ label, error, className, ...props }: Props) {
  const id = useId();
  return (
    <div className={clsx("flex flex-col gap-1", className)}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={FIELD}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : `${id}-error`}
        {...props}
      />
      {error === undefined ? null : (
        <p id={`${id}-error`} className="text-destructive-foreground text-sm">
          {error}
        </p>
      )}
    </div>
  );
}
