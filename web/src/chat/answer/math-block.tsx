/** Markdown with formulas, drawn by KaTeX: loaded when the first formula is shown. */
import "katex/dist/katex.css";
import katex from "katex";
import { type ComponentProps, type FunctionComponent, useLayoutEffect, useRef } from "react";
import ReactMarkdown, { type Components, type ExtraProps, type Options } from "react-markdown";
import remarkMath from "remark-math";
import type { FormattedProps } from "./markdown";
import { normalizeMath } from "./math-text";

const MAX_FORMULA_CHARACTERS = 2000;
/** What stands between single dollars was found by `normalizeMath`. */
const MATH: NonNullable<Options["remarkPlugins"]> = [[remarkMath, { singleDollarTextMath: false }]];

export default function MathBlock({ components, plugins, children }: FormattedProps) {
  return (
    <ReactMarkdown
      remarkPlugins={[...MATH, ...plugins]}
      components={{
        ...components,
        code: Code,
        pre: (props) => <Pre {...props} components={components} />,
      }}
    >
      {normalizeMath(children)}
    </ReactMarkdown>
  );
}

const Code: NonNullable<Components["code"]> = ({ className, children }) =>
  className?.includes("language-math") ? (
    <Formula text={String(children)} isDisplay={className.includes("math-display")} />
  ) : (
    <code className={className}>{children}</code>
  );

type PreProps = ComponentProps<"pre"> & ExtraProps & { components: Components };

/** A formula on lines of its own is stored as code. */
function Pre({ components, ...props }: PreProps) {
  const code = props.node?.children[0];
  const names = code?.type === "element" ? code.properties.className : undefined;
  if (Array.isArray(names) && names.includes("language-math")) return <>{props.children}</>;
  const Other = components.pre as FunctionComponent<Omit<PreProps, "components">>;
  return <Other {...props} />;
}

function Formula({ text, isDisplay }: { text: string; isDisplay: boolean }) {
  const ref = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null || text.length > MAX_FORMULA_CHARACTERS) return;
    // Nodes, not HTML: the page's policy forbids styles in HTML. It trusts no formula.
    katex.render(text, element, {
      displayMode: isDisplay,
      throwOnError: false,
      errorColor: "currentColor",
      maxSize: 20,
      maxExpand: 100,
      trust: false,
      strict: "ignore",
    });
  }, [text, isDisplay]);
  return (
    <span ref={ref} dir="ltr" className={isDisplay ? "formula block" : "formula"}>
      {text}
    </span>
  );
}
