/** What pages know of the frame around them. */
import { createContext, useContext } from "react";

export type Layout = {
  isWide: boolean;
  /** Opens the list of chats, where it is not beside the page. */
  openSidebar: () => void;
  /** True if there is a button to open it. */
  isSidebarHidden: boolean;
  /** Opens the menu of commands. */
  openCommands: () => void;
};

export const LayoutContext = createContext<Layout>({
  isWide: true,
  openSidebar: () => undefined,
  openCommands: () => undefined,
  isSidebarHidden: false,
});

export function useLayout(): Layout {
  return useContext(LayoutContext);
}
