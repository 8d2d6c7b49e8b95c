/** The one Vite configuration of all pages: built into `apps/web/<app>/dist`, served under `/<app>/`. */
import vue from '@vitejs/plugin-vue'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { defineConfig, type Plugin, type UserConfig } from 'vite'

/** Pages ask no third party for anything: the icon font's second source (somebody else's server) goes; the first is in the file. */
const noThirdParty: Plugin = {
  name: 'no-third-party',
  enforce: 'pre',
  transform: (code, id) =>
    id.includes('/vant/') && id.endsWith('.css')
      ? code.replace(/,\s*url\(\/\/at\.alicdn\.com[^)]*\)\s*format\("woff"\)/g, '')
      : null,
}

/** Beside every file its gzip form, which the server hands to browsers that take it: a third of the bytes. */
const packed: Plugin = {
  name: 'packed',
  apply: 'build',
  async writeBundle({ dir }, files) {
    for (const name of Object.keys(files)) {
      const file = join(dir!, name)
      await pipeline(createReadStream(file), createGzip({ level: 9 }), createWriteStream(`${file}.gz`))
    }
  },
}

export function page(app: string, gateway = process.env['HEALTHTRUST_GATEWAY'] ?? 'http://127.0.0.1:8080'): UserConfig {
  return defineConfig({
    base: `/${app}/`,
    plugins: [noThirdParty, vue(), packed],
    define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __INTLIFY_PROD_DEVTOOLS__: 'false' },
    build: { target: 'es2020', cssTarget: 'chrome87', chunkSizeWarningLimit: 1200, sourcemap: false },
    server: { proxy: { '/api': gateway } },
  }) as UserConfig
}
