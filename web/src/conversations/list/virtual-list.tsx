/** A list of any length: only what is in view is in the page, and more is asked for at its end. */
import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import {
  type ReactNode,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Virtualizer } from "virtua";
import { ErrorCallout } from "@/components/callout";
import { Spinner } from "@/components/spinner";

const ROW_PX = 34;
/** Rows below the view that are there before they are scrolled to. */
const AHEAD_PX = 400;

type Props = {
  scroller: RefObject<HTMLElement | null>;
  query: UseInfiniteQueryResult;
  label: string;
  /** Above the list, in the same scroller. */
  header?: ReactNode;
  /** Rows with keys. */
  children: ReactNode[];
};

export function VirtualList({ scroller, query, label, header, children }: Props) {
  const above = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const element = above.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setMargin(element.offsetHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <>
      <div ref={above}>{header}</div>
      <Virtualizer
        as="ul"
        item="li"
        scrollRef={scroller}
        startMargin={margin}
        itemSize={ROW_PX}
        bufferSize={AHEAD_PX}
      >
        {children}
      </Virtualizer>
      <End query={query} label={label} />
    </>
  );
}

/** Asks for the next page when it comes into view. */
function End({ query, label }: { query: UseInfiniteQueryResult; label: string }) {
  const { hasNextPage, isFetching, isError, isPending, error, fetchNextPage, refetch } = query;
  const ref = useRef<HTMLDivElement>(null);
  const isWaiting = hasNextPage && !isFetching && !isError;
  useEffect(() => {
    const element = ref.current;
    if (element === null || !isWaiting) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) void fetchNextPage();
      },
      { rootMargin: `${AHEAD_PX}px` },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [isWaiting, fetchNextPage]);
  return (
    <div ref={ref} className="min-h-px">
      {isError ? <ErrorCallout error={error} onRetry={() => refetch()} className="mt-2" /> : null}
      {isPending || (hasNextPage && isFetching) ? (
        <div className="px-2.5 py-1.5">
          <Spinner label={label} />
        </div>
      ) : null}
    </div>
  );
}
