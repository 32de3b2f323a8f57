/** What is shown where a page cannot be. */
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { errorMessage } from "@/api/errors";
import { Button, buttonStyle } from "@/components/button";
import { Callout } from "@/components/callout";
import { PageHeader } from "./page-header";

export function NotFound() {
  return (
    <>
      <PageHeader title="Page not found" />
      <div className="p-6">
        <p className="mb-4">There is no page at this address.</p>
        <Link to="/" className={buttonStyle()}>
          New chat
        </Link>
      </div>
    </>
  );
}

export function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const retry = async () => {
    await router.invalidate();
    reset();
  };
  return (
    <>
      <PageHeader title="Something went wrong" />
      <div className="p-6">
        <Callout kind="error" action={<Button onClick={() => void retry()}>Try again</Button>}>
          {errorMessage(error)} If this page fails again, reload it.
        </Callout>
      </div>
    </>
  );
}
