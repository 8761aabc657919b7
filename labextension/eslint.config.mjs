import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
    { ignores: ['lib/', 'node_modules/', '*.mjs', '*.cjs', 'style/', 'coverage/'] },
    js.configs.recommended,
    tseslint.configs.strict,
    {
        rules: {
            'no-console': 'error',
            '@typescript-eslint/no-namespace': 'off'
        }
    }
);
