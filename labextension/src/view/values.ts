/** Values of a file, whatever is in it: what is missing or malformed is empty. */

export function word(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function line(value: unknown): string {
  return word(value).split(/\s+/).filter(Boolean).join(' ');
}

export function amount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

export function count(value: unknown): number | null {
  return Number.isSafeInteger(value) ? amount(value) : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export function records(value: unknown): Readonly<Record<string, unknown>>[] {
  return list(value).map(record);
}
