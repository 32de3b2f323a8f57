/** The bar at the bottom of a chat: as wide as its messages, and above the edges of a phone. */
export const COMPOSER_BAR =
  "mx-auto w-full max-w-[50rem] px-4 pb-[max(0.75rem,env(safe-area-inset-bottom))]";
