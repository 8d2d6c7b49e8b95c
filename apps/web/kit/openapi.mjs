/** Writes `src/api.ts`, the types of the gateway's REST, from its OpenAPI document: `node openapi.mjs DOCUMENT TARGET`. */
import { readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'
import { format, resolveConfig } from 'prettier'
import ts from 'typescript'

const [source, target] = process.argv.slice(2)
const HEX = ts.factory.createTypeReferenceNode('Hex')
const isHex = (schema) => schema.type === 'string' && schema.pattern?.startsWith('^0x')

/** Titles repeat the names, and every refusal is a problem document whatever the route. */
function trimmed(part) {
  if (Array.isArray(part)) return part.map(trimmed)
  if (part === null || typeof part !== 'object') return part
  const kept = Object.entries(part).filter(([name, value]) => name !== '422' && (name !== 'title' || typeof value !== 'string'))
  return Object.fromEntries(kept.map(([name, value]) => [name, trimmed(value)]))
}

const tree = await openapiTS(trimmed(JSON.parse(await readFile(source, 'utf8'))), {
  transform: (schema) => (isHex(schema) ? HEX : undefined),
})
const made = [
  '/** Made by tools/openapi.sh from the OpenAPI document of the gateway: not to be edited. */',
  "import type { Hex } from './bytes'",
  astToString(tree),
]
const style = await resolveConfig(new URL('src/client.ts', import.meta.url))
await writeFile(target, await format(made.join('\n'), { ...style, parser: 'typescript' }))
