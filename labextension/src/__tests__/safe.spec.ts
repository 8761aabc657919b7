import { harmless, safeData, withoutDiagrams, withoutFetching } from '../safe';

/** Attributes and elements that make a page ask for something, as soon as they are in it or when they are pressed. */
const FETCHING =
  '[src]:not(img[src^="data:image/"]), [srcset], [poster], [background], [action], [formaction], [ping], [data], ' +
  '[xlink\\:href], [manifest], [imagesrcset], [onerror], [onload], link, meta, base, iframe, frame, object, embed, ' +
  'form, style, script, svg, math, video, audio, source, track, picture, template, noscript';

const ATTACKS: Readonly<Record<string, string>> = {
  image: '<img src="http://evil.test/a.png" onerror="x()">',
  srcset: '<img srcset="http://evil.test/a.png 2x"><picture><source srcset="//evil.test/b"></picture>',
  'svg image': '<svg><image href="http://evil.test/a" /><use xlink:href="http://evil.test/b#c"/></svg>',
  'svg style': '<svg><style>@import url(http://evil.test/a)</style></svg>',
  'css url': '<p style="background: url(http://evil.test/a)">x</p>',
  'css image set': '<p style="color: rgb(1,2,3); background: image-set(\'http://evil.test/a\' 1x)">x</p>',
  'style sheet':
    '<style>@import "http://evil.test/a";</style><link rel="stylesheet" href="http://evil.test/b">',
  preload:
    '<link rel="preload" as="image" href="http://evil.test/a"><link rel="dns-prefetch" href="//evil.test">',
  'meta refresh': '<meta http-equiv="refresh" content="0;url=http://evil.test/">',
  base: '<base href="http://evil.test/"><img src="a.png">',
  iframe: '<iframe src="http://evil.test/"></iframe><iframe srcdoc="<img src=//evil.test/a>"></iframe>',
  object: '<object data="http://evil.test/a"></object><embed src="http://evil.test/b">',
  media:
    '<video src="http://evil.test/a" poster="http://evil.test/b"><track src="http://evil.test/c"></video>',
  'audio source': '<audio><source src="http://evil.test/a"></audio>',
  background: '<table background="http://evil.test/a"><td background="http://evil.test/b">x</td></table>',
  form: '<form action="http://evil.test/"><button formaction="http://evil.test/b">x</button></form>',
  'image button': '<input type="image" src="http://evil.test/a">',
  ping: '<a href="https://example.test/" ping="http://evil.test/a">x</a>',
  mathml: '<math href="http://evil.test/a"><mtext><img src="http://evil.test/b"></mtext></math>',
  'nested parse': '<noscript><p title="</noscript><img src=http://evil.test/a>"></noscript>',
  template: '<template><img src="http://evil.test/a"></template>'
};

it.each(Object.entries(ATTACKS))('leaves nothing that fetches: %s', (_, html) => {
  const made = document.createElement('div');
  // Parsed twice, as the page does it: what is harmless must be harmless once more.
  made.append(...new DOMParser().parseFromString(harmless(html), 'text/html').body.childNodes);

  expect([...made.querySelectorAll(FETCHING)].map(node => node.outerHTML)).toEqual([]);
  expect(made.outerHTML).not.toMatch(/style=(?!"color: rgb)|url\(/);
});

it.each([
  'javascript:alert(1)',
  'data:text/html,<script>x()</script>',
  'vbscript:x',
  ' javascript:x',
  'files/a.ipynb',
  '//evil.test'
])('keeps no link to %s', address => {
  const link = new DOMParser().parseFromString(harmless(`<a href="${address}">x</a>`), 'text/html').links;

  expect(link).toHaveLength(0);
});

it('makes a link of an image, with its name', () => {
  expect(harmless('<img src="https://example.test/a.png" alt="A chart">')).toBe(
    '<a href="https://example.test/a.png" rel="noopener noreferrer nofollow" target="_blank">A chart</a>'
  );
});

it('keeps an image that is in the text itself, but no drawing that could hold others', () => {
  expect(harmless('<img src="data:image/png;base64,iVBORw0=" alt="dot">')).toContain('data:image/png');
  expect(harmless('<img src="data:image/svg+xml,<svg/>" alt="dot">')).toBe('dot');
});

it('keeps what texts are made of', () => {
  const html =
    '<h2 id="a">Title</h2><p><b>x</b> <a href="#a">up</a></p><table><tbody><tr><td colspan="2">1</td></tr></tbody></table>' +
    '<ol start="3"><li>three</li></ol><details open=""><summary>more</summary></details><pre><code class="language-py">x</code></pre>';

  expect(harmless(html)).toBe(html);
});

it('keeps the colours of terminals', () => {
  const span = '<span style="color:rgb(1,2,3);background-color:rgb(4,5,6)">x</span>';

  expect(harmless(span)).toBe(span);
});

it('keeps no command for a click', () => {
  expect(harmless('<p data-commandlinker-command="notebook:run-all-cells">x</p>')).toBe('<p>x</p>');
});

it('passes on what the sanitizer it wraps says', () => {
  const safe = withoutFetching({
    sanitize: dirty => dirty.replace('bad', 'good'),
    allowNamedProperties: true
  });

  expect(safe.sanitize('<p>bad</p><img src="x">')).toBe('<p>good</p>x');
  expect(safe.allowNamedProperties).toBe(true);
});

it('draws diagrams as code', async () => {
  const parser = withoutDiagrams({ render: source => Promise.resolve(source) });

  expect(await parser.render('> ```mermaid\nA@{ img: "http://evil.test/a" }\n> ```\n~~~~ Mermaid')).toBe(
    '> ```text\nA@{ img: "http://evil.test/a" }\n> ```\n~~~~ text'
  );
});

it('keeps the types that never fetch', () => {
  const data = {
    'text/plain': 'x',
    'image/png': 'y',
    'image/svg+xml': 'z',
    'application/vnd.vega.v5+json': {}
  };

  expect(safeData(data)).toEqual({ 'text/plain': 'x', 'image/png': 'y' });
});
