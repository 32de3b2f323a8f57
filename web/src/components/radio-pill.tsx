/** One of several choices, as a pill; the group around it has their name. */
import { clsx } from "clsx";
import type { ReactNode } from "react";

type Props = {
  /** The same for all of a group. */
  name: string;
  isChecked: boolean;
  onCheck: () => void;
  /** Its padding, and how it looks when it is chosen. */
  className: string;
  checkedClassName?: string;
  children: ReactNode;
};

export function RadioPill({
  name,
  isChecked,
  onCheck,
  className,
  checkedClassName,
  children,
}: Props) {
  return (
    <label
      className={clsx(
        "inline-flex cursor-pointer items-center rounded-full touch:min-h-11 has-focus-visible:outline-2 has-focus-visible:outline-ring",
        className,
        isChecked ? clsx("bg-muted font-medium", checkedClassName) : "hover:bg-muted",
      )}
    >
      <input type="radio" name={name} checked={isChecked} onChange={onCheck} className="sr-only" />
      {children}
    </label>
  );
}
