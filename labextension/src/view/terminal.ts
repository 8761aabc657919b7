/** Text with the marks of a terminal in it. */

// eslint-disable-next-line no-control-regex -- these are the characters that this is about
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;

/** Text as a terminal leaves it: colours are dropped, and what a carriage return or a backspace goes over is replaced. */
export function asTerminal(text: string): string {
  return text.replace(ANSI, '').replace(/\r+\n/g, '\n').split('\n').map(overwritten).join('\n');
}

function overwritten(line: string): string {
  const returned = line.split('\r').reduce((before, after) => after + before.slice(after.length));
  return returned.includes('\b') ? erased(returned) : returned;
}

function erased(line: string): string {
  const kept: string[] = [];
  for (const character of line) {
    if (character === '\b') {
      kept.pop();
    } else {
      kept.push(character);
    }
  }
  return kept.join('');
}
