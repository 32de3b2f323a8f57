/** The addresses of the page. Those under /app load their code when they are first opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { ConnectionError } from "@/api/errors";
import { ChatPage } from "@/chat/chat-page";
import { NotFound, RouteError } from "./failures";
import { Root } from "./root";

const rootRoute = createRootRoute({ component: Root });

const chatRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/c/$id",
  component: function StoredChat() {
    return <ChatPage conversationId={chatRoute.useParams().id} />;
  },
});

/** Load a page. If the API is away, say that; the router would reload the page, which is then gone. */
function lazyPage<Module extends Record<string, unknown>, Name extends keyof Module & string>(
  load: () => Promise<Module>,
  name: Name,
) {
  const loadOrFail = () =>
    load().catch((error: unknown) => {
      throw error instanceof TypeError ? new ConnectionError() : error;
    });
  return lazyRouteComponent(loadOrFail, name);
}

const routes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/",
    component: () => <ChatPage conversationId={undefined} />,
  }),
  chatRoute,
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/structured",
    component: lazyPage(() => import("@/structured/page"), "StructuredPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/tools",
    component: lazyPage(() => import("@/tools/page"), "ToolsPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/files",
    component: lazyPage(() => import("@/files/page"), "FilesPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/status",
    component: lazyPage(() => import("@/monitoring/page"), "StatusPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/settings",
    component: lazyPage(() => import("@/settings/page"), "SettingsPage"),
  }),
];

export const router = createRouter({
  routeTree: rootRoute.addChildren(routes),
  defaultPreload: "intent",
  defaultErrorComponent: RouteError,
  defaultNotFoundComponent: NotFound,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
