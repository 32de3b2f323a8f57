/** The style of a row's menu button: a pointer or the focus brings it, a finger has it always. */
export const ROW_BUTTON =
  "max-w-0 opacity-0 hover:bg-border group-focus-within:max-w-none group-focus-within:opacity-100 group-hover:max-w-none group-hover:opacity-100 touch:max-w-none touch:opacity-100 data-[state=open]:max-w-none data-[state=open]:opacity-100";
