#!/usr/bin/env node
// The part of solc's command line that py-solc-x uses (--version, --standard-json), over the WebAssembly compiler of the npm package.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const solc = require('solc')

function readSource(name) {
  const file = path.resolve(name)
  return fs.existsSync(file) ? { contents: fs.readFileSync(file, 'utf8') } : { error: `no such source: ${name}` }
}

// A pipe takes part of a long answer at a time.
function writeAll(text) {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const options = process.argv.slice(2)
if (options.includes('--version')) {
  writeAll(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace('.clang', '')}\n`)
} else if (options.includes('--standard-json')) {
  writeAll(solc.compile(fs.readFileSync(0, 'utf8'), { import: readSource }))
} else {
  process.stderr.write(`unsupported options: ${options.join(' ')}\n`)
  process.exitCode = 1
}
