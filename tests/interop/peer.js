// A js-libp2p peer that does what it is told: one JSON object a line in, one a line out.
//
//   node peer.js '{"listen": ["/ip4/127.0.0.1/tcp/0"], "pubsub": "gossipsub", …}'
//
// The first line out is {"event": "ready", "id": …, "addresses": […]}. Each command {"id": N, "do": NAME, …} is answered by
// {"id": N, "result": …} or {"id": N, "error": TEXT}; what happens meanwhile comes as {"event": NAME, …}. Bytes are base64.
// The peer stops when its standard input ends.

import './polyfills.js'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { floodsub } from '@libp2p/floodsub'
import { gossipsub, TopicValidatorResult } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { plaintext } from '@libp2p/plaintext'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { read } from './messages.js'
// Not for the public, but whoever forges needs the parts.
import { PublishConfigType } from './node_modules/@libp2p/gossipsub/dist/src/types.js'
import { buildRawMessage } from './node_modules/@libp2p/gossipsub/dist/src/utils/buildRawMessage.js'

const options = JSON.parse(process.argv[2] ?? '{}')
const say = line => process.stdout.write(JSON.stringify(line) + '\n')
const base64 = bytes => Buffer.from(bytes.subarray()).toString('base64')
const bytes = text => Uint8Array.from(Buffer.from(text ?? '', 'base64'))

const privateKey = options.key == null ? await generateKeyPair('Ed25519') : privateKeyFromProtobuf(readFileSync(options.key))

const services = { identify: identify(), identifyPush: identifyPush(), ping: ping({ maxInboundStreams: 64, maxOutboundStreams: 64 }) }
if (options.pubsub === 'gossipsub') {
  services.pubsub = gossipsub({ allowPublishToZeroTopicPeers: true, ...options.gossipsub })
} else if (options.pubsub === 'floodsub') {
  services.pubsub = floodsub()
}
if (options.dht != null) {
  // Who does not answer within the defaults' few seconds, as on a busy machine, would be in no table and not be asked again.
  const patient = { minTimeout: 60_000 }
  services.dht = kadDHT({
    protocol: '/ipfs/kad/1.0.0', peerInfoMapper: passthroughMapper, clientMode: options.dht === 'client',
    pingNewContactTimeout: patient, pingOldContactTimeout: patient, networkDialTimeout: patient, onPeerConnectTimeout: 60_000
  })
}
if (options.relay === true) {
  services.relay = circuitRelayServer()
}

const node = await createLibp2p({
  privateKey,
  addresses: { listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [{ noise, tls, plaintext }[options.security ?? 'noise']()],
  streamMuxers: [yamux(options.yamux)],
  peerDiscovery: options.mdns == null ? [] : [mdns(options.mdns)],
  // The defaults let five peers a second in, all peers of a test have one address; and on a busy machine ten seconds may be too little.
  connectionManager: {
    inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1000,
    dialTimeout: 60_000, addressDialTimeout: 60_000, inboundUpgradeTimeout: 60_000,
    inboundStreamProtocolNegotiationTimeout: 60_000, outboundStreamProtocolNegotiationTimeout: 60_000
  },
  connectionMonitor: { enabled: false },
  services
})

node.addEventListener('peer:discovery', ({ detail }) => {
  say({ event: 'discovery', peer: detail.id.toString(), addresses: detail.multiaddrs.map(String) })
})
node.addEventListener('peer:connect', ({ detail }) => say({ event: 'connect', peer: detail.toString() }))
node.addEventListener('peer:disconnect', ({ detail }) => say({ event: 'disconnect', peer: detail.toString() }))

const pubsub = node.services.pubsub
pubsub?.addEventListener('message', ({ detail }) => {
  say({ event: 'message', topic: detail.topic, from: detail.from?.toString(), data: base64(detail.data), seqno: detail.sequenceNumber?.toString() })
})
pubsub?.addEventListener('subscription-change', ({ detail }) => {
  for (const { topic, subscribe } of detail.subscriptions) {
    say({ event: 'subscription', peer: detail.peerId.toString(), topic, subscribe })
  }
})

// What this peer saw on the wire, each way, of each other peer.
const kinds = ['graft', 'prune', 'ihave', 'iwant', 'idontwant']
const nothing = () => ({ messages: 0, graft: 0, prune: 0, ihave: 0, iwant: 0, idontwant: 0 })
const seen = { received: new Map(), sent: new Map() }
const count = (counts, peer, rpc) => {
  const of = counts.get(peer) ?? nothing()
  counts.set(peer, of)
  of.messages += rpc.messages?.length ?? 0
  for (const kind of kinds) {
    of[kind] += rpc.control?.[kind]?.length ?? 0
  }
}
const sum = (counts, peers) => {
  const all = nothing()
  for (const [peer, of] of counts) {
    if (peers == null || peers.includes(peer)) {
      Object.keys(all).forEach(kind => { all[kind] += of[kind] })
    }
  }
  return all
}
if (options.pubsub === 'gossipsub') {
  const { handleReceivedRpc, sendRpc, sendRpcInBatch } = pubsub
  pubsub.handleReceivedRpc = function (from, rpc) {
    count(seen.received, from.toString(), rpc)
    return handleReceivedRpc.call(this, from, rpc)
  }
  pubsub.sendRpc = function (to, rpc) {
    const sent = sendRpc.call(this, to, rpc)
    if (sent) {
      count(seen.sent, to, rpc)
    }
    return sent
  }
  pubsub.sendRpcInBatch = function (to, rpc) {
    sendRpcInBatch.call(this, to, rpc)
    to.forEach(peer => count(seen.sent, peer, rpc))
  }
}

// A message that would be a good one, but for one thing.
async function forge (how, topic, data) {
  const sender = how === 'sender' || how === 'keyless' ? peerIdFromPrivateKey(await generateKeyPair('Ed25519')) : node.peerId
  const config = { type: PublishConfigType.Signing, author: sender, key: publicKeyToProtobuf(privateKey.publicKey), privateKey }
  const { raw } = await buildRawMessage(config, topic, data, data)
  switch (how) {
    case 'signature':
      raw.signature[10] ^= 1
      break
    case 'unsigned':
      raw.signature = undefined
      break
    case 'data':
      raw.data = Uint8Array.from([...raw.data, 33])
      break
    case 'sender': // the key goes along, and is not that of whom it names
      break
    case 'keyless':
      raw.key = undefined
      break
    default:
      throw new Error(`cannot forge ${how}`)
  }
  return raw
}

async function readAll (stream) {
  const chunks = []
  for await (const chunk of stream) {
    chunks.push(chunk.subarray())
  }
  return Buffer.concat(chunks)
}

const commands = {
  addresses: () => node.getMultiaddrs().map(String),
  peers: () => node.getPeers().map(String),
  dial: async ({ address }) => (await node.dial(multiaddr(address))).remotePeer.toString(),
  hangUp: ({ peer }) => node.hangUp(peerIdFromString(peer)),
  ping: ({ peer }) => node.services.ping.ping(peerIdFromString(peer)),
  known: async ({ peer }) => {
    const known = await node.peerStore.get(peerIdFromString(peer))
    return {
      protocols: known.protocols,
      addresses: known.addresses.map(({ multiaddr }) => multiaddr.toString()),
      agent: Buffer.from(known.metadata.get('AgentVersion') ?? []).toString()
    }
  },

  // Echoes what comes on streams of a protocol, each chunk as it comes, and ends as the other side does.
  handle: ({ protocol }) => node.handle(protocol, async stream => {
    for await (const chunk of stream) {
      if (!stream.send(chunk)) {
        await stream.onDrain()
      }
    }
    await stream.close()
  }, { maxInboundStreams: 10_000, runOnLimitedConnection: true }),
  // Writes, ends its side, and says what came back until the other side's end.
  exchange: async ({ peer, protocol, data }) => {
    // By itself js dials anew rather than use the connection over a relay that stands.
    const to = peerIdFromString(peer), how = { maxOutboundStreams: 10_000, runOnLimitedConnection: true }
    const [open] = node.getConnections(to)
    const stream = await (open === undefined ? node.dialProtocol(to, protocol, how) : open.newStream(protocol, how))
    if (!stream.send(bytes(data))) {
      await stream.onDrain()
    }
    await stream.close()
    return base64(await readAll(stream))
  },

  // The DHT's; keys and values are base64, contents CIDs.
  // Not out of js's own book, which may know a peer without an address.
  dhtFindPeer: async ({ peer }) => (await node.peerRouting.findPeer(peerIdFromString(peer), { useCache: false })).multiaddrs.map(String),
  dhtPut: ({ key, value }) => node.contentRouting.put(bytes(key), bytes(value)),
  dhtGet: async ({ key }) => base64(await node.contentRouting.get(bytes(key))),
  dhtProvide: ({ cid }) => node.contentRouting.provide(CID.parse(cid)),
  dhtProviders: async ({ cid }) => {
    const found = []
    for await (const { id } of node.contentRouting.findProviders(CID.parse(cid))) {
      found.push(id.toString())
    }
    return found
  },
  dhtTable: () => [...node.services.dht.routingTable.kb.toIterable()].map(contact => contact.peerId.toString()),

  subscribe: ({ topic }) => pubsub.subscribe(topic),
  unsubscribe: ({ topic }) => pubsub.unsubscribe(topic),
  publish: async ({ topic, data }) => (await pubsub.publish(topic, bytes(data))).recipients.map(String),
  subscribers: ({ topic }) => pubsub.getSubscribers(topic).map(String),
  mesh: ({ topic }) => pubsub.getMeshPeers(topic),
  score: ({ peer }) => pubsub.getScore(peer),
  // What a message of drap says, as its schema reads it.
  read: ({ data }) => read(bytes(data)),
  // Of some peers, or of all.
  seen: ({ peers }) => ({ received: sum(seen.received, peers), sent: sum(seen.sent, peers) }),
  // From now on messages of a topic are rejected that begin with these bytes.
  reject: ({ topic, data }) => {
    const begin = Buffer.from(data, 'base64')
    pubsub.topicValidators.set(topic, (_, message) =>
      begin.equals(message.data.subarray(0, begin.length)) ? TopicValidatorResult.Reject : TopicValidatorResult.Accept)
  },
  forge: async ({ how, peer, topic, data }) => pubsub.sendRpc(peer, { subscriptions: [], messages: [await forge(how, topic, bytes(data))] })
}

createInterface({ input: process.stdin })
  .on('line', async line => {
    const command = JSON.parse(line)
    try {
      const result = await commands[command.do](command)
      say({ id: command.id, result: result ?? null })
    } catch (error) {
      say({ id: command.id, error: `${error.name}: ${error.message}` })
    }
  })
  .on('close', async () => {
    await node.stop()
    process.exit(0)
  })

say({ event: 'ready', id: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })
