/**
 * The words of the views. The extension of JupyterLab puts its translator where every bundle finds it; without it they
 * are English. `%1`, `%2`… stand for the other arguments.
 */

export type Translate = (text: string, ...values: readonly (string | number)[]) => string;
export type TranslatePlural = (
  one: string,
  many: string,
  count: number,
  ...values: readonly (string | number)[]
) => string;

export interface ITranslations {
  readonly __: Translate;
  readonly _n: TranslatePlural;
}

const PLACE = Symbol.for('jupyter-agents:translations');
const english: ITranslations = {
  __: (text, ...values) => filled(text, values),
  _n: (one, many, count, ...values) => filled(count === 1 ? one : many, [count, ...values])
};

/** The translations of this page. */
export function translations(): ITranslations {
  return ((globalThis as Record<symbol, unknown>)[PLACE] as ITranslations | undefined) ?? english;
}

/** Let every view of this page use these. */
export function setTranslations(value: ITranslations | null): void {
  (globalThis as Record<symbol, unknown>)[PLACE] = value ?? undefined;
}

function filled(text: string, values: readonly (string | number)[]): string {
  return text.replace(/%(\d)/g, (found, digit: string) => String(values[Number(digit) - 1] ?? found));
}
