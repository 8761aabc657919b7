// The widgets are plain ES modules for anywidget: one file each, with no imports left, and one style sheet.
import { build } from 'esbuild';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';

const outdir = '../jupyter_agents/widgets/static';
mkdirSync(outdir, { recursive: true });
await build({
    entryPoints: readdirSync('src/widgets')
        .filter(name => name.endsWith('.ts'))
        .map(name => `src/widgets/${name}`),
    outdir,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    charset: 'utf8',
    legalComments: 'inline'
});
copyFileSync('lib/agents.css', `${outdir}/agents.css`);
