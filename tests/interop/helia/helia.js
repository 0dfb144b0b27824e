// What Helia makes of files, and what it reads of a drap node's blocks.
//
//   node helia.js '{"add": PATH}'                          {"cid": …, "helia": …}: with kubo's settings, and with Helia's own
//   node helia.js '{"fetch": CID, "from": MULTIADDR}'      {"bytes": N, "sha256": …, "blocks": N}: read through Helia from blocks that came over /drap/1.1.0/blobs

import '../polyfills.js'
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { unixfs } from '@helia/unixfs'
import { MemoryBlockstore } from 'blockstore-core'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'

const task = JSON.parse(process.argv[2])
const blockstore = new MemoryBlockstore()
const fs = unixfs({ blockstore })

/** What `ipfs add --cid-version=1` does: chunks of 256 KiB, raw leaves, 174 links. */
const kubo = { cidVersion: 1, rawLeaves: true, chunker: fixedSize({ chunkSize: 262144 }), layout: balanced({ maxChildrenPerNode: 174 }) }

async function add (path, options) {
  if (!statSync(path).isDirectory()) {
    return fs.addByteStream(createReadStream(path), options)
  }
  let folder = await fs.addDirectory({}, options)
  for (const name of await readdir(path)) {
    folder = await fs.cp(await add(join(path, name), options), folder, name, options)
  }
  return folder
}

/** Asks a drap node for a file's outline, then for its leaves, and puts every block under its own name. */
async function fetchFile (root, from) {
  const [{ createLibp2p }, { noise }, { yamux }, { tcp }, { multiaddr }, { sha256 }] = await Promise.all([
    import('libp2p'), import('@chainsafe/libp2p-noise'), import('@chainsafe/libp2p-yamux'), import('@libp2p/tcp'), import('@multiformats/multiaddr'),
    import('multiformats/hashes/sha2')
  ])
  const { decode } = await import('@ipld/dag-pb')
  const node = await createLibp2p({ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()] })
  try {
    const stream = await node.dialProtocol(multiaddr(from), '/drap/1.1.0/blobs')
    const incoming = stream[Symbol.asyncIterator]()
    let have = Buffer.alloc(0)
    const read = async n => {
      while (have.length < n) {
        const { value, done } = await incoming.next()
        if (done) {
          throw new Error('the stream ends within an answer')
        }
        have = Buffer.concat([have, value.subarray()])
      }
      const taken = Uint8Array.from(have.subarray(0, n))
      have = have.subarray(n)
      return taken
    }
    const ask = async (what, cid, first = 0, count = 0) => {
      const request = Buffer.alloc(45)
      request[0] = what
      request.set(cid.bytes, 1)
      request.writeUInt32BE(first, 37)
      request.writeUInt32BE(count, 41)
      stream.send(request)
      const status = (await read(1))[0]
      if (status !== 1) {
        throw new Error(`${cid} is not given: status ${status}`)
      }
    }
    const block = async code => {
      const data = await read(Buffer.from(await read(4)).readUInt32BE())
      const cid = CID.createV1(code, await sha256.digest(data))
      await blockstore.put(cid, data)
      return { cid, data }
    }
    await ask(1, root)
    if (root.code === 0x55) {
      return [(await block(0x55)).cid]
    }
    // Inner nodes, parents first; a leaf is a raw block, and comes later.
    const open = [root]
    const leaves = []
    while (open.length > 0) {
      const wanted = open.shift()
      if (wanted.code === 0x55) {
        leaves.push(wanted)
        continue
      }
      const { cid, data } = await block(0x70)
      if (!cid.equals(wanted)) {
        throw new Error(`${cid} came where ${wanted} is wanted`)
      }
      open.unshift(...decode(data).Links.map(l => l.Hash))
    }
    for (let at = 0; at < leaves.length; at += 8) {
      const run = leaves.slice(at, at + 8)
      await ask(2, root, at, run.length)
      for (const wanted of run) {
        const { cid } = await block(0x55)
        if (!cid.equals(wanted)) {
          throw new Error(`${cid} came where leaf ${wanted} is wanted`)
        }
      }
    }
    return leaves
  } finally {
    await node.stop()
  }
}

if (task.add != null) {
  const cid = await add(task.add, kubo)
  const own = await add(task.add, {})
  console.log(JSON.stringify({ cid: cid.toString(), helia: own.toString() }))
} else {
  const root = CID.parse(task.fetch)
  const leaves = await fetchFile(root, task.from)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of fs.cat(root, { offline: true })) {
    hash.update(chunk)
    bytes += chunk.length
  }
  console.log(JSON.stringify({ bytes, sha256: hash.digest('hex'), blocks: leaves.length }))
}
