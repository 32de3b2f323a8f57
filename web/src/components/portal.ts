/** Where menus and tooltips are put: a modal dialog makes everything outside it inert. */
import { createContext, useContext } from "react";

export const PortalContext = createContext<HTMLElement | null>(null);

/** Return the dialog around this component, or null for the page. */
export function usePortal(): HTMLElement | null {
  return useContext(PortalContext);
}
