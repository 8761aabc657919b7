/** Ids for `aria-labelledby` and its kind: unique on a page, also when two bundles of this package are on it. */

const PAGE_PART = Math.random().toString(36).slice(2, 8);
let count = 0;

/** An id nobody has had. */
export function freshId(what: string): string {
  count += 1;
  return `jp-agents-${what}-${PAGE_PART}-${count}`;
}
