// Starts the daemons of the interop suite: js-libp2p's in this process, or drap's as a process of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { createClient } from '@libp2p/daemon-client'
import { createServer } from '@libp2p/daemon-server'
import { floodsub } from '@libp2p/floodsub'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { UnsupportedError } from '@libp2p/interop'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { plaintext } from '@libp2p/plaintext'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
const SECURITY = { noise, tls, plaintext }

// What neither of the two has, and the suite leaves pending then.
function check (options) {
  if ((options.transport ?? 'tcp') !== 'tcp' || (options.muxer ?? 'yamux') !== 'yamux') {
    throw new UnsupportedError()
  }
}

export async function startJs (options) {
  check(options)
  const services = { identify: identify(), ping: ping() }
  if (options.pubsub === true) {
    services.pubsub = options.pubsubRouter === 'floodsub' ? floodsub() : gossipsub()
  }
  if (options.relay === true) {
    services.relay = circuitRelayServer()
  }
  if (options.dht === true) {
    services.dht = kadDHT({ protocol: '/ipfs/kad/1.0.0', peerInfoMapper: passthroughMapper, clientMode: false })
  }

  const node = await createLibp2p({
    privateKey: options.key == null ? undefined : privateKeyFromProtobuf(readFileSync(options.key)),
    addresses: { listen: options.noListen === true ? [] : [LOOPBACK] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [SECURITY[options.encryption ?? 'noise']()],
    streamMuxers: [yamux()],
    services
  })
  const server = createServer(multiaddr(LOOPBACK), node)
  await server.start()

  return {
    server,
    client: createClient(server.getMultiaddr()),
    async stop () {
      await server.stop()
      await node.stop()
    }
  }
}

// `command` starts drap: words, as ['dotnet', 'Drap.Cli.dll'].
export async function startDrap (options, command) {
  check(options)
  const args = ['p2pd', '--control', LOOPBACK, '--security', options.encryption ?? 'noise']
  if (options.noListen !== true) {
    args.push('--listen', LOOPBACK)
  }
  if (options.key != null) {
    args.push('--key', options.key)
  }
  if (options.pubsub === true) {
    args.push('--pubsub', options.pubsubRouter ?? 'gossipsub')
  }
  if (options.relay === true) {
    args.push('--relay')
  }
  if (options.dht === true) {
    args.push('--dht')
  }

  const child = spawn(command[0], [...command.slice(1), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const control = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', line => {
      const [, address] = /^Control socket: (\S+)$/.exec(line) ?? []
      if (address != null) {
        resolve(address)
      }
    })
    child.on('error', reject)
    exited.then(([code, signal]) => reject(new Error(`drap ${args.join(' ')} ended before it listened: ${signal ?? code}`)), reject)
  })

  return {
    client: createClient(multiaddr(control)),
    async stop () {
      child.kill('SIGTERM')
      const [code, signal] = await exited
      if (code !== 0) {
        throw new Error(`drap ${args.join(' ')} ended with ${signal ?? code}`)
      }
    }
  }
}
