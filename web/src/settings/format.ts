/** Dates, numbers and sizes in the language that a person chose for them. */
import { preferences, usePreferences } from "./preferences";

/** What stands for a value that is not known. */
export const UNKNOWN = "n/a";

export type Format = ReturnType<typeof makeFormat>;

const formats = new Map<string, Format>();

/** The formats of the language in effect; renders again when another one is chosen. */
export function useFormat(): Format {
  return formatOf(usePreferences().locale);
}

export function format(): Format {
  return formatOf(preferences().locale);
}

/** Return the formats of a language tag; of the browser's language if it is empty or invalid. */
export function formatOf(locale: string): Format {
  const known = formats.get(locale);
  if (known !== undefined) return known;
  const made = makeFormat(isLocale(locale) ? locale : undefined);
  formats.set(locale, made);
  return made;
}

export function isLocale(locale: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(locale).length > 0;
  } catch {
    return false;
  }
}

function makeFormat(locale: string | undefined) {
  const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const time = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
  const month = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" });
  const decimals = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const number = (value: number) => (Math.abs(value) < 100 ? decimals : whole).format(value);
  return {
    date: (value: string | Date) => onDate(value, date),
    dateTime: (value: string | Date) => onDate(value, dateTime),
    time: (value: string | Date) => onDate(value, time),
    month: (value: string | Date) => onDate(value, month),
    /** Three digits of a fraction, all of a whole number. */
    number: (value: number | null | undefined) =>
      value === null || value === undefined || !Number.isFinite(value)
        ? UNKNOWN
        : Number.isInteger(value)
          ? whole.format(value)
          : number(value),
    bytes: (value: number | null | undefined) => {
      if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
      const { amount, unit } = withUnit(value);
      return `${number(amount)} ${unit}`;
    },
  };
}

function onDate(value: string | Date, formatter: Intl.DateTimeFormat): string {
  const date = typeof value === "string" ? new Date(value) : value;
  return Number.isNaN(date.getTime()) ? UNKNOWN : formatter.format(date);
}

function withUnit(bytes: number): { amount: number; unit: string } {
  let amount = bytes;
  for (const unit of ["bytes", "kB", "MB", "GB"]) {
    if (Math.abs(amount) < 1000) return { amount, unit };
    amount /= 1000;
  }
  return { amount, unit: "TB" };
}
