// The views are plain DOM and TypeScript. JupyterLab's packages are not loaded here: the browser tests do that.
// Types are checked by tsc, over all files at once; here they are only taken out, which is many times faster.
module.exports = {
    testEnvironment: 'jsdom',
    roots: ['<rootDir>/src', '<rootDir>/lint'],
    testMatch: ['**/*.spec.ts', '**/*.spec.cjs'],
    transform: {
        '\\.ts$': [
            'ts-jest',
            {
                diagnostics: false,
                tsconfig: {
                    target: 'ES2022',
                    module: 'CommonJS',
                    isolatedModules: true,
                    esModuleInterop: true
                }
            }
        ]
    }
};
