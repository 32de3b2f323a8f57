/** A name that is edited where it stands: Enter saves, Escape does not. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { FIELD } from "@/components/input";

type Props = {
  label: string;
  value: string;
  maxLength: number;
  onSave: (value: string) => void;
  onCancel: () => void;
};

export function RenameField({ label, value, maxLength, onSave, onCancel }: Props) {
  const [text, setText] = useState(value);
  const ref = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => {
    ref.current?.select();
    // Once more after a menu, which gives the focus back when it closes. What was typed meanwhile stays.
    const timer = setTimeout(() => {
      if (document.activeElement !== ref.current) ref.current?.select();
    });
    return () => clearTimeout(timer);
  }, []);
  const finish = () => {
    if (isDone.current) return;
    isDone.current = true;
    const trimmed = text.trim();
    if (trimmed === "" || trimmed === value) onCancel();
    else onSave(trimmed);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter") finish();
    if (event.key === "Escape") {
      // Not the drawer's, which closes by Escape too.
      event.preventDefault();
      isDone.current = true;
      onCancel();
    }
  };
  return (
    <input
      ref={ref}
      aria-label={label}
      dir="auto"
      maxLength={maxLength}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={finish}
      className={FIELD}
    />
  );
}
