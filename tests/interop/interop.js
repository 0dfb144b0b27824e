// Runs @libp2p/interop with js-libp2p's daemon in its js slot and drap's in its go slot.
//
//   node interop.js [--grep WORDS] -- dotnet …/drap.dll     drap in the go slot; the words start it
//   node interop.js [--grep WORDS]                          js in both
//
// Prints TAP; its last lines count what passed, failed and is pending. Exits with 1 if a test fails, with 2 if it cannot be understood.

import './polyfills.js'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'

let parsed
try {
  parsed = parseArgs({ options: { grep: { type: 'string' } }, allowPositionals: true })
} catch (error) {
  console.error(`interop: ${error.message}`)
  process.exit(2)
}
const { values, positionals } = parsed
if (positionals.length > 0) {
  process.env.INTEROP_DRAP = JSON.stringify(positionals)
}

// The limits of the suite and of js-libp2p, 10 s mostly, are for a machine that does nothing else meanwhile.
const PATIENCE = 6
const { timeout } = Mocha.Runnable.prototype
Mocha.Runnable.prototype.timeout = function (...limit) {
  return timeout.apply(this, limit.map(ms => ms * PATIENCE))
}
const { timeout: signalAfter } = AbortSignal
AbortSignal.timeout = ms => signalAfter.call(AbortSignal, ms * PATIENCE)

const mocha = new Mocha({ reporter: 'tap', grep: values.grep, timeout: 20_000 })
mocha.addFile(fileURLToPath(new URL('suite.js', import.meta.url)))
await mocha.loadFilesAsync()
mocha.run(failures => {
  // js-libp2p leaves timers behind, which would keep the process.
  process.exit(failures > 0 ? 1 : 0)
}).on('end', function () {
  const { passes, failures, pending } = this.stats
  console.log(`# ${passes} passed, ${failures} failed, ${pending} pending`)
})
