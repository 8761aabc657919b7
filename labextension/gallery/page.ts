/**
 * Every state of the views on one page. `?theme=light|dark|contrast|none` sets the theme, `&state=name` shows one only.
 * A file in `states/` exports `states`; the build finds it.
 */

import { h } from '../src/view/dom';
import all from 'gallery:states';

export interface IGalleryState {
  readonly name: string;
  draw(): readonly HTMLElement[];
}

const asked = new URLSearchParams(location.search);
const theme = asked.get('theme') ?? 'light';
const names: Record<string, string> = {
  contrast: 'JupyterLab Dark High Contrast',
  dark: 'JupyterLab Dark',
  light: 'JupyterLab Light'
};

document.body.dataset['theme'] = theme;
if (theme !== 'none') {
  document.body.dataset['jpThemeLight'] = String(theme === 'light');
  document.body.dataset['jpThemeName'] = names[theme] ?? '';
}
document.body.className = 'jp-ThemedContainer';
document.documentElement.className = `theme-${theme}`;

const main = h('main');
document.body.append(main);
const only = asked.get('state');
for (const state of (all as readonly IGalleryState[]).filter(one => only === null || one.name === only)) {
  const outputs = h('div', { class: 'gallery-outputs' });
  main.append(h('section', { id: state.name.replace(/\W+/g, '-') }, h('h2', {}, state.name), outputs));
  outputs.append(...state.draw());
}
