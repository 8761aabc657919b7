import { ActivityLine, describeActivity } from '../view/activity';
import { duration } from '../view/clock';
import { activity } from './wire';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it.each([
  [0.4, '0 s'],
  [59.9, '59 s'],
  [65, '1 min 05 s'],
  [3600 + 120, '1 h 02 min']
])('says how long %d seconds are', (seconds, expected) => {
  expect(duration(seconds)).toBe(expected);
});

it.each([
  [activity('model'), 3.2, 'waiting for the model · 3 s'],
  [activity('model'), 0.7, 'waiting for the model'],
  [activity('model', { what: 'choosing who speaks next' }), 2, 'choosing who speaks next · 2 s'],
  [activity('model', { what: 'thinking aloud' }), 2, 'thinking aloud · 2 s'],
  [activity('code', { what: 'python' }), 12, 'running python · 12 s'],
  [activity('tool', { what: 'get_price' }), 2, 'calling get_price · 2 s'],
  [activity('queue'), 4, 'waiting for another block · 4 s'],
  [activity('person'), 40, 'waiting for you'],
  [activity('retry', { what: 'rate limit', remaining: 4 }), 0.5, 'retrying in 4 s: rate limit'],
  [activity('retry', { what: 'rate limit', elapsed: 2, remaining: 4 }), 4.5, 'retrying in 2 s: rate limit'],
  [activity('retry', { what: 'rate limit', remaining: 4 }), 9, 'retrying: rate limit']
])('says what goes on (%#)', (what, seconds, expected) => {
  expect(describeActivity(what, seconds)).toBe(expected);
});

it('says that a reply is being written when it has begun', () => {
  expect(describeActivity(activity('model'), 8, true)).toBe('writing');
});

describe('the line', () => {
  it('shows nothing of what lasts less than half a second', () => {
    const line = new ActivityLine();
    line.show(activity('tool', { what: 'get_price' }), null);

    jest.advanceTimersByTime(499);
    const early = line.node.hidden;
    line.show(null, null);
    jest.advanceTimersByTime(5000);

    expect([early, line.node.hidden]).toEqual([true, true]);
    line.dispose();
  });

  it('counts by itself from what the kernel said', () => {
    const line = new ActivityLine();
    line.show(activity('model', { elapsed: 3 }), null);
    const first = line.node.textContent;

    jest.advanceTimersByTime(4000);

    expect(first).toBe('assistantwaiting for the model · 3 s');
    expect(line.node.textContent).toBe('assistantwaiting for the model · 7 s');
    line.dispose();
  });

  it('counts no further when what it shows has ended, and goes half a second later', () => {
    const line = new ActivityLine();
    line.show(activity('code', { what: 'python', elapsed: 5.9 }), null);
    line.show(null, null);

    jest.advanceTimersByTime(400);
    const ended = [line.node.hidden, line.node.textContent];
    jest.advanceTimersByTime(200);

    expect(ended).toEqual([false, 'assistantrunning python · 5 s']);
    expect(line.node.hidden).toBe(true);
    line.dispose();
  });

  it('starts anew when the same agent waits for the model again', () => {
    const line = new ActivityLine();
    line.show(activity('model', { elapsed: 9 }), null);

    line.show(activity('model', { elapsed: 0.2 }), null);
    jest.advanceTimersByTime(2000);

    expect(line.node.textContent).toBe('assistantwaiting for the model · 2 s');
    line.dispose();
  });

  it('leaves no timer behind', () => {
    const line = new ActivityLine();
    line.show(activity('model', { elapsed: 1 }), null);
    line.show(activity('code'), null);

    line.dispose();

    expect(jest.getTimerCount()).toBe(0);
  });
});
