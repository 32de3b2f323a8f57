/** What can be done with an answer: copy, regenerate, continue, other versions, and a menu. */
import {
  ChartNoAxesColumn,
  Check,
  ChevronsRight,
  Columns2,
  Copy,
  Ellipsis,
  FileCode,
  Gauge,
  Pencil,
  RefreshCw,
  Scissors,
  Trash2,
} from "lucide-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { IconButton } from "@/components/icon-button";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/menu";
import { useCopy } from "@/components/use-copy";
import { useChat } from "../chat-context";
import { focusMessageField } from "../composer/composer";
import { answerOf, firstOf, type Item, lastOf } from "../items";
import { DeleteMessage } from "../thread/delete-message";
import type { AnswerModel, AnswersRow } from "../thread/rows";
import { VersionSwitch } from "../thread/version-switch";

const StatsDialog = lazy(() => import("./stats-dialog"));
const TokenProbabilities = lazy(() => import("./token-probabilities"));

type Props = { answer: AnswerModel; row: AnswersRow; isSide: boolean; onEdit: () => void };

export function AnswerActions({ answer, row, isSide, onEdit }: Props) {
  const { session, actions } = useChat();
  const { isCopied, copy } = useCopy();
  const { item } = answer;
  if (item === undefined) return null;
  const message = answerOf(item);
  const canContinue =
    item.messages.length === 1 &&
    message.content !== "" &&
    (answer.state !== "finished" || answer.receipt?.finish_reason === "length");
  const { questionId } = row;
  return (
    <div className="-ms-2 flex flex-wrap items-center text-muted-foreground">
      <IconButton label={isCopied ? "Copied" : "Copy"} onClick={() => copy(message.content)}>
        {isCopied ? <Check /> : <Copy />}
      </IconButton>
      {questionId === undefined ? null : (
        <IconButton label="Regenerate" onClick={() => session.regenerate(questionId)}>
          <RefreshCw />
        </IconButton>
      )}
      {canContinue ? (
        <IconButton label="Continue" onClick={() => session.continueAnswer(message)}>
          <ChevronsRight />
        </IconButton>
      ) : null}
      {isSide && item.id !== row.current ? (
        <Button size="sm" onClick={() => actions.select(lastOf(item)).then(focusMessageField)}>
          Use this one
        </Button>
      ) : null}
      {isSide ? null : (
        <VersionSwitch
          versions={row.versions.map(lastOf)}
          index={row.versions.findIndex((version) => isSameItem(version, item))}
        />
      )}
      <AnswerMenu answer={answer} row={row} item={item} isSide={isSide} onEdit={onEdit} />
    </div>
  );
}

type MenuProps = Props & { item: Item };
type OpenDialog = "raw" | "stats" | "tokens" | "delete";

function AnswerMenu({ answer, row, item, isSide, onEdit }: MenuProps) {
  const { actions, session } = useChat();
  const [dialog, setDialog] = useState<OpenDialog>();
  const { questionId } = row;
  const close = () => setDialog(undefined);
  return (
    <>
      <Menu>
        <MenuTrigger asChild>
          <Button variant="ghost" size="icon" aria-label="More">
            <Ellipsis />
          </Button>
        </MenuTrigger>
        <MenuContent align="start">
          <Entry icon={<Pencil />} name="Edit" onSelect={onEdit} />
          <Entry icon={<FileCode />} name="Raw text" onSelect={() => setDialog("raw")} />
          {answer.receipt === undefined ? null : (
            <Entry icon={<Gauge />} name="Generation stats" onSelect={() => setDialog("stats")} />
          )}
          {answer.logprobs.length > 0 ? (
            <Entry
              icon={<ChartNoAxesColumn />}
              name="Token probabilities"
              onSelect={() => setDialog("tokens")}
            />
          ) : null}
          {row.versions.length > 1 && questionId !== undefined ? (
            <Entry
              icon={<Columns2 />}
              name={isSide ? "Show one version" : "Show side by side"}
              onSelect={() => session.setCompared(questionId, !isSide)}
            />
          ) : null}
          <Entry
            icon={<Scissors />}
            name="Start context here"
            onSelect={() => actions.sendFrom(firstOf(item))}
          />
          <MenuSeparator />
          <MenuItem isDestructive onSelect={() => setDialog("delete")}>
            <Trash2 />
            Delete…
          </MenuItem>
        </MenuContent>
      </Menu>
      <Suspense>
        {dialog === "stats" ? <StatsDialog answer={answer} onClose={close} /> : null}
        {dialog === "raw" ? (
          <Dialog title="Raw text" onClose={close} className="w-[min(48rem,calc(100vw-2rem))]">
            <pre className="whitespace-pre-wrap text-sm [overflow-wrap:anywhere]" dir="auto">
              {answerOf(item).content}
            </pre>
          </Dialog>
        ) : null}
        {dialog === "tokens" ? (
          <Dialog
            title="Token probabilities"
            onClose={close}
            className="w-[min(48rem,calc(100vw-2rem))]"
          >
            <TokenProbabilities tokens={answer.logprobs} />
          </Dialog>
        ) : null}
        {dialog === "delete" ? <DeleteMessage message={firstOf(item)} onClose={close} /> : null}
      </Suspense>
    </>
  );
}

function Entry({ icon, name, onSelect }: { icon: ReactNode; name: string; onSelect: () => void }) {
  return (
    <MenuItem onSelect={onSelect}>
      {icon}
      {name}
    </MenuItem>
  );
}

function isSameItem(one: Item, other: Item): boolean {
  return one.id === other.id;
}
