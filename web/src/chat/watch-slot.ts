/**
 * How many tabs may hold a connection open at once. Browsers have six for each host: with more, the
 * next page would not load.
 */

const SLOTS = ["smolchat.watch.1", "smolchat.watch.2"];

/** Run `work` if this tab may; return false if others are watching. */
export async function withWatchSlot(work: () => Promise<void>): Promise<boolean> {
  // Only safe addresses have locks; elsewhere hidden tabs still give way.
  if (navigator.locks === undefined) {
    await work();
    return true;
  }
  for (const name of SLOTS) {
    const hasRun = await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock === null) return false;
      await work();
      return true;
    });
    if (hasRun) return true;
  }
  return false;
}
