/** The pages besides the chat. */
import { Activity, Braces, FileText, Settings, Wrench } from "lucide-react";

export const PAGES = [
  { to: "/app/structured", name: "Structured", Icon: Braces },
  { to: "/app/tools", name: "Tools", Icon: Wrench },
  { to: "/app/files", name: "Files", Icon: FileText },
  { to: "/app/status", name: "Status", Icon: Activity },
  { to: "/app/settings", name: "Settings", Icon: Settings },
] as const;
