/** What the page around a widget offers: JupyterLab's own way of drawing, where its widget manager hands it on. */

import type { AnyModel } from '@anywidget/types';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { safeData, withoutDiagrams, withoutFetching } from '../safe';
import type { IHost } from './host';
import type { IBundle } from './protocol';

type Sanitizer = IRenderMime.ISanitizer;

/** The part of JupyterLab's `IRenderMimeRegistry` that is used here. */
interface IRegistry {
  readonly sanitizer: Sanitizer;
  readonly latexTypesetter: IRenderMime.ILatexTypesetter | null;
  readonly markdownParser: IRenderMime.IMarkdownParser | null;
  clone(options: { sanitizer: Sanitizer; markdownParser?: IRenderMime.IMarkdownParser }): IRegistry;
  preferredMimeType(data: IBundle['data'], safe: 'ensure' | 'prefer' | 'any'): string | undefined;
  createRenderer(mimeType: string): IRenderMime.IRenderer;
}

/** The host of a widget; one that can do nothing where the page is not JupyterLab or Notebook 7. */
export function hostOf(model: AnyModel): IHost {
  const registry = registryOf(model);
  if (!registry) {
    return {};
  }
  return {
    renderOutput: (bundle, trusted) => renderOutput(registry, bundle, trusted),
    typeset: node => registry.latexTypesetter?.typeset(node)
  };
}

function registryOf(model: AnyModel): IRegistry | null {
  const manager = model.widget_manager as unknown as { rendermime?: Partial<IRegistry> } | undefined;
  const found = manager?.rendermime;
  const isUsable =
    typeof found?.createRenderer === 'function' && typeof found.preferredMimeType === 'function';
  return isUsable ? (found as IRegistry) : null;
}

function renderOutput(own: IRegistry, bundle: IBundle, trusted: boolean): HTMLElement | null {
  const registry = trusted ? own : safeRegistry(own);
  const data = trusted ? bundle.data : safeData(bundle.data);
  const type = registry.preferredMimeType(data, trusted ? 'any' : 'ensure');
  if (type === undefined) {
    return null;
  }
  const renderer = registry.createRenderer(type);
  const model = { data, metadata: bundle.metadata, trusted, setData: () => undefined };
  // The renderer is put on the page without Lumino, so that it does not set mathematics by itself.
  renderer.renderModel(model as unknown as IRenderMime.IMimeModel).then(
    () => registry.latexTypesetter?.typeset(renderer.node),
    (error: unknown) => (renderer.node.textContent = String(error))
  );
  return renderer.node;
}

function safeRegistry(own: IRegistry): IRegistry {
  const parser = own.markdownParser;
  return own.clone({
    sanitizer: withoutFetching(own.sanitizer),
    markdownParser: parser ? withoutDiagrams(parser) : undefined
  });
}
