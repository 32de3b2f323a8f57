/** The addresses of the page. Those under /app load their code when they are first opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
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
    component: lazyRouteComponent(() => import("@/structured/page"), "StructuredPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/tools",
    component: lazyRouteComponent(() => import("@/tools/page"), "ToolsPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/files",
    component: lazyRouteComponent(() => import("@/files/page"), "FilesPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/status",
    component: lazyRouteComponent(() => import("@/monitoring/page"), "StatusPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/app/settings",
    component: lazyRouteComponent(() => import("@/settings/page"), "SettingsPage"),
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
