/** The prompts that each schema starts with, and the custom schema to start from. */

export const CUSTOM = "custom";

const EXAMPLES: Record<string, string> = {
  recipe: "A quick lunch for two with eggs and spinach.",
  event: "Anna and Ben plan the release party for 3 March 2027.",
  contact: "Write to Maria Lopez of Acme at maria@acme.example or call +34 600 123 456.",
  invoice: "Invoice 2041 of 5 May 2027 for Ada Stone: 3 lamps at 20.00 and a table at 150.00.",
  sentiment: "The soup was cold, but the staff were lovely and we laughed all evening.",
  [CUSTOM]: "A film about a lighthouse keeper who finds a message in a bottle.",
};

const CUSTOM_SCHEMA = {
  type: "object",
  properties: {
    title: { type: "string", maxLength: 60 },
    year: { type: "integer", minimum: 1900, maximum: 2030 },
    genres: {
      type: "array",
      items: { enum: ["drama", "comedy", "thriller", "documentary"] },
      minItems: 1,
      uniqueItems: true,
    },
  },
  required: ["title", "year", "genres"],
  additionalProperties: false,
};

export const CUSTOM_SCHEMA_TEXT = JSON.stringify(CUSTOM_SCHEMA, null, 2);

/** Return the prompt that a schema is shown with, until a person writes their own. */
export function examplePrompt(name: string): string {
  return EXAMPLES[name] ?? "";
}

/** Return the schema to begin with: the smallest models fill this one in sensibly. */
export function firstChoice(types: readonly { name: string }[]): string | undefined {
  return (types.find(({ name }) => name === "sentiment") ?? types[0])?.name;
}

export function isExample(prompt: string): boolean {
  return prompt.trim() === "" || Object.values(EXAMPLES).includes(prompt.trim());
}
