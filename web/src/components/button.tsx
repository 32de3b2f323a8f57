/** Buttons and what looks like one. After shadcn/ui (MIT, see LICENSE-shadcn.txt). */
import { cva, type VariantProps } from "class-variance-authority";
import { clsx } from "clsx";
import type { ComponentProps } from "react";

export const buttonStyle = cva(
  "inline-flex shrink-0 select-none items-center justify-center gap-2 rounded-full font-medium whitespace-nowrap transition-colors disabled:opacity-50 aria-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        primary: "bg-primary text-primary-foreground enabled:hover:brightness-110",
        outline: "border border-border bg-background hover:bg-muted",
        ghost: "hover:bg-muted",
        destructive: "bg-destructive text-destructive-foreground hover:brightness-95",
      },
      size: {
        md: "h-9 px-4 touch:min-h-11",
        sm: "h-7 px-2.5 text-sm touch:min-h-11",
        icon: "size-8 touch:size-11",
      },
    },
    defaultVariants: { variant: "outline", size: "md" },
  },
);

export type ButtonProps = ComponentProps<"button"> & VariantProps<typeof buttonStyle>;

export function Button({ className, variant, size, ...props }: ButtonProps) {
  return (
    <button type="button" className={clsx(buttonStyle({ variant, size }), className)} {...props} />
  );
}
