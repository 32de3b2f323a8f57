/**
 * Markdown of people and models: as elements, never as HTML, without images from elsewhere. What is
 * complete is formatted once, and only the last block again while a text grows.
 */
import "./markdown.css";
import { type ComponentProps, lazy, memo, type ReactNode, Suspense, useMemo } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import { splitBlocks } from "./blocks";
import { CodeBlock } from "./code-block";
import { gfm } from "./gfm";
import { mayHaveMath } from "./math-text";

/** More is shown as plain text: to format it would block the page. */
const MAX_CHARACTERS = 200_000;
const MAX_BLOCK_CHARACTERS = 40_000;

const PLUGINS: Options["remarkPlugins"] = [gfm];
const MathBlock = lazy(() => import("./math-block"));

type Props = { text: string; isGrowing?: boolean };

export const Markdown = memo(function Markdown({ text, isGrowing = false }: Props) {
  const blocks = useMemo(() => (text.length > MAX_CHARACTERS ? [text] : splitBlocks(text)), [text]);
  return (
    <div className="markdown" dir="auto">
      {blocks.map((block, index) => (
        <Block
          // biome-ignore lint/suspicious/noArrayIndexKey: a text only grows at its end.
          key={index}
          text={block}
          isGrowing={isGrowing && index === blocks.length - 1}
        />
      ))}
    </div>
  );
});

const Block = memo(function Block({ text, isGrowing }: Required<Props>) {
  if (text.length > MAX_BLOCK_CHARACTERS) return <p className="whitespace-pre-wrap">{text}</p>;
  const components = isGrowing ? GROWING : COMPONENTS;
  if (mayHaveMath(text)) {
    return (
      <Suspense fallback={<Formatted components={components}>{text}</Formatted>}>
        <MathBlock components={components}>{text}</MathBlock>
      </Suspense>
    );
  }
  return <Formatted components={components}>{text}</Formatted>;
});

function Formatted({ components, children }: { components: Components; children: string }) {
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={components}>
      {children}
    </ReactMarkdown>
  );
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
  table: ({ children }) => <Table>{children}</Table>,
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
};
