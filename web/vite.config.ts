import { defineConfig, type Plugin } from 'vite'

// GraphiQL's style sheet carries each font twice as base64 (280 kB that do not compress).
// Without them the page uses the system's fonts (playground.css) and needs no `font-src data:`.
const withoutEmbeddedFonts: Plugin = {
  name: 'without-embedded-fonts',
  enforce: 'pre',
  transform(code, id) {
    if (!/node_modules\/graphiql\/.*\.css$/.test(id)) return null
    return { code: code.replace(/@font-face\s*\{[^}]*\}/g, ''), map: null }
  },
}

export default defineConfig({
  plugins: [withoutEmbeddedFonts],
  publicDir: false,
  build: {
    outDir: '../app/ui/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    reportCompressedSize: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      input: 'playground.html',
      // "use client" marks of vendors mean nothing in a bundle without server components.
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning)
      },
      output: {
        // Vendor chunks keep their bytes, and so their names, when only our own code changes.
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
            { name: 'codemirror', test: /node_modules[\\/]codemirror[\\/]/ },
            { name: 'graphql', test: /node_modules[\\/](graphql|graphql-ws)[\\/]/ },
            { name: 'graphiql', test: /node_modules[\\/]/ },
          ],
        },
      },
    },
  },
})
