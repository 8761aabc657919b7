/** The arguments of a tool call for a reader. */

const PART = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const DEEPEST = 50;
const LINE = 76; // characters: what is shorter stays on one line

/**
 * JSON set out, and text of several lines as lines; what is no JSON as it is. So does `readable_arguments` of
 * `jupyter_agents/display/bundle.py`, but what is short stays on one line here. Numbers stay as they are written: to
 * parse them would round them.
 */
export function readableArguments(source: string): string {
  let values: unknown;
  try {
    values = JSON.parse(source);
  } catch {
    return source;
  }
  const parts = source.match(PART) ?? [];
  const isObject = typeof values === 'object' && values !== null && !Array.isArray(values);
  if (isObject && Object.values(values as object).some(isLines)) {
    return entries(parts)
      .map(([name, value]) => argument(name, value))
      .join('\n');
  }
  const line = setOut(parts, false);
  return (line !== null && line.length > LINE ? setOut(parts, true) : line) ?? source;
}

function isLines(value: unknown): boolean {
  return typeof value === 'string' && value.includes('\n');
}

function argument(name: string, value: readonly string[]): string {
  const text = value.length === 1 && value[0]?.startsWith('"') ? (JSON.parse(value[0]) as string) : '';
  return isLines(text) ? `${name}:\n${text.trimEnd()}` : `${name}: ${setOut(value, false) ?? value.join('')}`;
}

/** The entries of an object, each as the parts of its value. */
function entries(parts: readonly string[]): [string, string[]][] {
  const found: [string, string[]][] = [];
  let depth = 0;
  let isName = true;
  for (const part of parts.slice(1, -1)) {
    if (depth === 0 && (part === ',' || part === ':')) {
      isName = part === ',';
    } else if (isName) {
      found.push([JSON.parse(part) as string, []]);
    } else {
      depth += '{['.includes(part) ? 1 : '}]'.includes(part) ? -1 : 0;
      found.at(-1)?.[1].push(part);
    }
  }
  return found;
}

/** `null` where it is nested too deeply to be read by anybody. */
function setOut(parts: readonly string[], isIndented: boolean): string | null {
  let [text, depth, before] = ['', 0, ''];
  for (const part of parts) {
    const isEnd = '}]'.includes(part);
    const isEmpty = isEnd && '{['.includes(before);
    depth += '{['.includes(part) ? 1 : isEnd ? -1 : 0;
    const startsLine = isEnd ? !isEmpty : before !== '' && '{[,'.includes(before);
    text += startsLine ? lineBreak(isIndented, depth - ('{['.includes(part) ? 1 : 0), before, isEnd) : '';
    text += part.startsWith('"') ? JSON.stringify(JSON.parse(part)) : part === ':' ? ': ' : part;
    before = part;
    if (depth > DEEPEST) {
      return null;
    }
  }
  return text;
}

function lineBreak(isIndented: boolean, depth: number, before: string, isEnd: boolean): string {
  if (isIndented) {
    return `\n${'  '.repeat(depth)}`;
  }
  return before === ',' && !isEnd ? ' ' : '';
}
