// One style sheet out of those of the views, for the extension and the widgets alike.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const FIRST = 'agents.css'; // the others build on it
const sheets = readdirSync('style')
    .filter(name => name.endsWith('.css') && name !== 'index.css')
    .sort((a, b) => Number(b === FIRST) - Number(a === FIRST) || a.localeCompare(b));
mkdirSync('lib', { recursive: true });
writeFileSync('lib/agents.css', sheets.map(name => readFileSync(`style/${name}`, 'utf8')).join('\n'));
