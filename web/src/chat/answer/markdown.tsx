/**
 * Markdown of people and models: as elements, never as HTML, without images from elsewhere. What is
 * complete is formatted once, and only the last block again while a text grows.
 */
import "./markdown.css";
import {
  type ComponentProps,
  createContext,
  lazy,
  memo,
  type ReactNode,
  Suspense,
  useContext,
  useMemo,
} from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import { CitationNumber } from "../files/citation-number";
import { citationPlugin, citedText, plainCitations } from "../files/cited-text";
import type { Citation } from "../types";
import { splitBlocks } from "./blocks";
import { CodeBlock } from "./code-block";
import { gfm } from "./gfm";
import { type GrowingEnd, markEnd, splitGrowing } from "./growing-text";
import { mayHaveMath } from "./math-text";

/** More is shown as plain text: to format it would block the page. */
const MAX_CHARACTERS = 200_000;
const MAX_BLOCK_CHARACTERS = 40_000;

const PLUGINS: NonNullable<Options["remarkPlugins"]> = [gfm];
const MathBlock = lazy(() => import("./math-block"));

type Props = {
  text: string;
  isGrowing?: boolean;
  /** Of files; their numbers stand in the text. */
  citations?: readonly Citation[] | undefined;
};

const NO_CITATIONS: readonly Citation[] = [];

export const Markdown = memo(function Markdown(props: Props) {
  const { text, isGrowing = false } = props;
  // Where nothing is cited the blocks keep their property, and with it what they have rendered.
  const citations = props.citations?.length ? props.citations : NO_CITATIONS;
  const blocks = useMemo(() => {
    if (text.length > MAX_CHARACTERS) return [text];
    return splitBlocks(citedText(text, citations));
  }, [text, citations]);
  return (
    <div className="markdown" dir="auto">
      {blocks.map((block, index) => (
        <Block
          // biome-ignore lint/suspicious/noArrayIndexKey: a text only grows at its end.
          key={index}
          text={block}
          isGrowing={isGrowing && index === blocks.length - 1}
          citations={citations}
        />
      ))}
    </div>
  );
});

type BlockProps = { text: string; isGrowing: boolean; citations: readonly Citation[] };

const Block = memo(function Block({ text, isGrowing, citations }: BlockProps) {
  const plugins = useMemo(
    () => (citations.length > 0 ? [...PLUGINS, citationPlugin(citations)] : PLUGINS),
    [citations],
  );
  if (text.length > MAX_BLOCK_CHARACTERS) {
    return <p className="whitespace-pre-wrap">{plainCitations(text, citations)}</p>;
  }
  const components = isGrowing ? GROWING : COMPONENTS;
  if (mayHaveMath(text)) {
    return (
      <Suspense fallback={<Formatted {...{ components, plugins }}>{text}</Formatted>}>
        <MathBlock {...{ components, plugins }}>{text}</MathBlock>
      </Suspense>
    );
  }
  return <Formatted {...{ components, plugins, isGrowing }}>{text}</Formatted>;
});

export type FormattedProps = {
  components: Components;
  plugins: NonNullable<Options["remarkPlugins"]>;
  children: string;
};

/** Words that were added since the text was parsed. */
const AddedText = createContext("");

function Formatted(props: FormattedProps & { isGrowing?: boolean }) {
  const { components, plugins, isGrowing = false, children: text } = props;
  const [settled, added] = isGrowing ? splitGrowing(text) : [text, ""];
  const parsed = useMemo(
    () => parse({ components, plugins, children: settled }, isGrowing),
    [components, plugins, settled, isGrowing],
  );
  const canGrow = added === "" || parsed.end.isMarked;
  return (
    <AddedText value={canGrow ? added.trimEnd() : ""}>
      {canGrow ? parsed.element : parse({ components, plugins, children: text }, false).element}
    </AddedText>
  );
}

function parse({ components, plugins, children }: FormattedProps, isGrowing: boolean) {
  const end: GrowingEnd = { isMarked: false };
  // Called, as it is no more than a function: its element is kept as long as the text is the same.
  const element = ReactMarkdown({
    remarkPlugins: plugins,
    rehypePlugins: isGrowing ? [markEnd(children, end)] : [],
    components,
    children,
  });
  return { element, end };
}

function Anchor({ href, children }: ComponentProps<"a">) {
  if (!href || !/^(?:https?:|mailto:)/i.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

/** An image would tell its server that the answer was read: it is named, and loaded only on request. */
function ImageLink({ src, alt }: ComponentProps<"img">) {
  const name = alt || "image";
  if (typeof src !== "string" || !/^https?:/i.test(src)) return <span>[{name}]</span>;
  return <Anchor href={src}>[{name}]</Anchor>;
}

function Table({ children }: { children?: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled by keys, too.
    <section className="table" tabIndex={0} aria-label="Table">
      <table>{children}</table>
    </section>
  );
}

const COMPONENTS: Components = {
  a: ({ href, children }) => <Anchor href={href}>{children}</Anchor>,
  img: ({ src, alt }) => <ImageLink src={src} alt={alt} />,
  // Only tasks of lists are fields.
  input: ({ checked }) => <input type="checkbox" checked={checked} disabled aria-label="Task" />,
  table: ({ children }) => <Table>{children}</Table>,
  cite: ({ node }) => <CitationNumber number={Number(node?.properties.dataNumber)} />,
  p: ({ children }) => <p dir="auto">{children}</p>,
  li: ({ children, className }) => (
    <li dir="auto" className={className}>
      {children}
    </li>
  ),
  // An answer is a part of the page: its headings stand below those of the page.
  h1: ({ children }) => <h3 dir="auto">{children}</h3>,
  h2: ({ children }) => <h3 dir="auto">{children}</h3>,
  h3: ({ children }) => <h4 dir="auto">{children}</h4>,
  h4: ({ children }) => <h5 dir="auto">{children}</h5>,
  h5: ({ children }) => <h6 dir="auto">{children}</h6>,
  h6: ({ children }) => <h6 dir="auto">{children}</h6>,
  pre: ({ node }) => <CodeBlock node={node} />,
};

const GROWING: Components = {
  ...COMPONENTS,
  pre: ({ node }) => <CodeBlock node={node} isGrowing />,
  slot: () => useContext(AddedText),
};
