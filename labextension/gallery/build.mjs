// Writes build/gallery/index.html: every state of the views, in JupyterLab's own themes and without any.
// node gallery/build.mjs; PYTHON is the interpreter that has jupyter_agents and jupyterlab.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const out = '../build/gallery';
const python = process.env.PYTHON ?? '../.venv/bin/python';
mkdirSync(out, { recursive: true });
for (const name of ['bundles', 'results']) {
    writeFileSync(`${out}/${name}.json`, run(`gallery/${name}.py`));
}

const files = readdirSync('gallery/states').filter(name => name.endsWith('.ts'));
const states = {
    name: 'states',
    setup(building) {
        building.onResolve({ filter: /^gallery:states$/ }, ({ path }) => ({ path, namespace: 'gallery' }));
        building.onLoad({ filter: /.*/, namespace: 'gallery' }, () => ({
            resolveDir: 'gallery/states',
            contents:
                files.map((file, at) => `import { states as s${at} } from './${file}';`).join('\n') +
                `\nexport default [${files.map((_, at) => `...s${at}`).join(', ')}];`
        }));
    }
};
await build({
    entryPoints: ['gallery/page.ts'],
    outfile: `${out}/page.js`,
    bundle: true,
    format: 'esm',
    plugins: [states]
});

writeFileSync(
    `${out}/index.html`,
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gallery of the views</title>
<meta name="viewport" content="width=device-width"><style>${themes()}${lab()}${own()}${page()}</style></head>
<body><script type="module">${readFileSync(`${out}/page.js`, 'utf8').replaceAll('</script', '<\\/script')}</script></body></html>`
);

function run(...args) {
    return execFileSync(python, args, {
        encoding: 'utf8',
        cwd: '.',
        env: { ...process.env, PYTHONPATH: '..' }
    });
}

/** The variables of the themes as they are installed, each under a class of its own. */
function themes() {
    const share = run('-c', 'import sys; print(sys.prefix)').trim() + '/share/jupyter/lab/themes/@jupyterlab';
    const named = {
        light: 'theme-light-extension',
        dark: 'theme-dark-extension',
        contrast: 'theme-dark-high-contrast-extension'
    };
    return Object.entries(named)
        .map(([name, folder]) => {
            const sheet = readFileSync(`${share}/${folder}/index.css`, 'utf8');
            return [...sheet.matchAll(/:root\s*\{([^}]*)\}/g)]
                .map(([, body]) => `:root.theme-${name}{${body}}`)
                .join('');
        })
        .join('');
}

/** How JupyterLab draws what is rendered, and the palette that its themes use. */
function lab() {
    const sheets = ['apputils/style/materialcolors.css', 'rendermime/style/base.css'];
    return sheets.map(name => readFileSync(`node_modules/@jupyterlab/${name}`, 'utf8')).join('');
}

function own() {
    const sheets = readdirSync('style').filter(name => name.endsWith('.css') && name !== 'index.css');
    const sorted = sheets.sort(
        (a, b) => Number(b === 'agents.css') - Number(a === 'agents.css') || a.localeCompare(b)
    );
    return sorted.map(name => readFileSync(`style/${name}`, 'utf8')).join('\n');
}

function page() {
    return `body{margin:0;padding:8px 16px;background:var(--jp-layout-color0,Canvas);color:var(--jp-ui-font-color1,CanvasText);
font-family:var(--jp-ui-font-family,sans-serif)}
section{margin:0 0 28px} section>h2{font-size:11px;font-weight:500;opacity:.75;margin:0 0 6px;border-bottom:1px dotted}
`;
}
