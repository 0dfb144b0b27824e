// The interop suite as a mocha file. What `interop.js` was told to put in the go slot comes in the environment.

import { interopTests } from '@libp2p/interop'
import { startDrap, startJs } from './daemons.js'

const drap = JSON.parse(process.env.INTEROP_DRAP ?? 'null')

await interopTests({
  spawn: async options => options.type === 'go' && drap != null ? startDrap(options, drap) : startJs(options)
})
