import js from '@eslint/js';
import tseslint from 'typescript-eslint';

import { translatedWords } from './lint/translatedWords.mjs';

export default tseslint.config(
    { ignores: ['lib/', 'node_modules/', '**/*.mjs', '**/*.cjs', 'style/', 'coverage/'] },
    js.configs.recommended,
    tseslint.configs.strict,
    {
        rules: {
            'no-console': 'error',
            '@typescript-eslint/no-namespace': 'off'
        }
    },
    {
        files: ['src/**/*.ts'],
        ignores: ['src/__tests__/**'],
        plugins: { 'jupyter-agents': { rules: { 'translated-words': translatedWords } } },
        rules: { 'jupyter-agents/translated-words': 'error' }
    }
);
