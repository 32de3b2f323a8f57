import type { ReactNode } from "react";

export function SectionHeading({ children }: { children: ReactNode }) {
  return (
    <h2 className="px-2.5 pt-4 pb-1 font-medium font-sans text-muted-foreground text-xs tracking-normal">
      {children}
    </h2>
  );
}
