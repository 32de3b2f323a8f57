/**
 * Stands in for `aria-hidden` and `react-remove-scroll`, 5 kB that Radix needs for what is modal:
 * the page's menus and popovers are not, and its dialogs are the browser's own.
 */
function refuse(): never {
  throw new Error("Radix's modal parts are not in this build.");
}

export { refuse as hideOthers, refuse as RemoveScroll };
