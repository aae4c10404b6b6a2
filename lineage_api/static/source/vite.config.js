import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'

/** Monaco carries other projects inside its own package, where `build.license` does not see them. */
const monacoNotices = {
  name: 'monaco-notices',
  generateBundle() {
    const source = readFileSync('node_modules/monaco-editor/ThirdPartyNotices.txt')
    this.emitFile({ type: 'asset', fileName: 'MONACO-NOTICES.txt', source })
  },
}

export default defineConfig({
  base: '/graphiql/',
  logLevel: 'error', // below it stand a thousand warnings about directives of React's compiler
  plugins: [monacoNotices],
  build: {
    target: 'es2022',
    outDir: '../graphiql',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy lets no script come from a data: address
    license: { fileName: 'LICENSES.md' },
    rolldownOptions: {
      output: { keepNames: true }, // GraphiQL's icons are titled after the names of their functions
    },
  },
  experimental: {
    // Only the page names the base, and graphiql.py puts a proxy's prefix before it; the rest finds itself from there.
    renderBuiltUrl: (file, { hostType }) => (hostType === 'html' ? undefined : { relative: true }),
  },
})
