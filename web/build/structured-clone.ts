/** Stands in for a package of this name: every browser that runs the page has its own. */
export default structuredClone;
