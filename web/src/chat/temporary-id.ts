/** Stands in the place of the id of a chat that is not stored; no stored one has it. */
export const TEMPORARY = "temporary";
