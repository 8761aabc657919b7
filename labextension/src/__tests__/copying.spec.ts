import { announce, copyButton } from '../view/copying';

const written: string[] = [];

function clipboard(writeText: (text: string) => Promise<void>): void {
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText } });
}

beforeEach(() => {
  written.length = 0;
  document.body.replaceChildren();
  clipboard(async text => void written.push(text));
});

async function pressed(button: HTMLButtonElement): Promise<string> {
  document.body.append(button);
  button.click();
  await new Promise(done => setTimeout(done));
  return document.querySelector('[role="status"]')?.textContent ?? '';
}

test('copies what there is at the time, and says so', async () => {
  let text = 'early';
  const button = copyButton('Copy the code', () => text);
  text = 'late';

  const said = await pressed(button);

  expect(written).toEqual(['late']);
  expect(said).toBe('Copied');
  expect(button.textContent).toBe('Copied');
  expect(button.getAttribute('aria-label')).toBe('Copy the code');
});

test('copies by the old command when there is no clipboard', async () => {
  clipboard(() => Promise.reject(new Error('not allowed')));
  document.execCommand = () => {
    written.push((document.activeElement as HTMLTextAreaElement).value);
    return true;
  };

  const said = await pressed(copyButton('Copy', () => 'words'));

  expect(written).toEqual(['words']);
  expect(said).toBe('Copied');
  expect(document.querySelector('textarea')).toBeNull();
});

test('says so when nothing could be copied', async () => {
  clipboard(() => Promise.reject(new Error('not allowed')));
  document.execCommand = () => false;

  expect(await pressed(copyButton('Copy', () => 'words'))).toBe('Cannot copy');
});

test('has one region for the page, and says the same twice', () => {
  announce('Copied');
  announce('Copied');

  expect(document.querySelectorAll('[role="status"]')).toHaveLength(1);
  expect(document.querySelector('[role="status"]')?.textContent).not.toBe('Copied'); // a change is what is read out
});
