// js-libp2p's daemon as a process of its own.
//
//   node daemon.js '{"pubsubRouter": "gossipsub", "pubsub": true, "dht": true}'
//
// The options are those of the interop suite. Prints {"control": MULTIADDR, "id": …} and serves until its standard input ends.

import './polyfills.js'
import { startJs } from './daemons.js'

const { client, server, stop } = await startJs(JSON.parse(process.argv[2] ?? '{}'))
process.stdout.write(JSON.stringify({ control: server.getMultiaddr().toString(), id: (await client.identify()).peerId.toString() }) + '\n')
process.stdin.resume().on('end', async () => {
  await stop()
  process.exit(0)
})
