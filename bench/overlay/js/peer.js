// js-libp2p, doing what Drap.Bench.Overlay does: `serve`, or `measure PEER ADDRESS [--quick] [--only WORD,WORD]`. One line of JSON on standard output.

// What js-libp2p expects of its runtime and Node 20 lacks.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { gossipsub } = await import('@libp2p/gossipsub')
const { identify } = await import('@libp2p/identify')
const { peerIdFromString } = await import('@libp2p/peer-id')
const { ping } = await import('@libp2p/ping')
const { tcp } = await import('@libp2p/tcp')
const { multiaddr } = await import('@multiformats/multiaddr')
const { createLibp2p } = await import('libp2p')

const [echo, ask, sink, heard] = ['echo', 'ask', 'sink', 'heard'].map(name => `/bench/${name}/1.0.0`)
const topic = '/bench/gossip/1.0.0'
const messageBytes = 200
const gossipBytes = 512
const [publishers, latencies] = [4, 500]
const many = { maxInboundStreams: 100_000, maxOutboundStreams: 100_000 }
const [command, peer, address, ...flags] = process.argv.slice(2)
const quick = flags.includes('--quick')
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1].split(',') : null
const wanted = word => only == null || only.includes(word)
const sleep = time => new Promise(resolve => setTimeout(resolve, time))

const create = gossips => createLibp2p({
  addresses: { listen: command === 'serve' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1000 },
  connectionMonitor: { enabled: false },
  services: { identify: identify(), ping: ping(many), ...gossips ? { pubsub: gossipsub() } : {} }
})
const node = await create(command === 'serve')

async function send (stream, bytes) {
  if (!stream.send(bytes)) {
    await stream.onDrain()
  }
}

if (command === 'serve') {
  await node.handle(echo, async stream => {
    for await (const chunk of stream) {
      await send(stream, chunk)
    }
  }, many)
  await node.handle(ask, async stream => {
    let heard = 0
    for await (const chunk of stream) {
      heard += chunk.byteLength
      if (heard >= messageBytes) {
        break
      }
    }
    await send(stream, new Uint8Array(messageBytes))
    await stream.close()
  }, many)
  await node.handle(sink, async stream => {
    let total = 0
    for await (const chunk of stream) {
      total += chunk.byteLength
    }
    const counted = Buffer.alloc(8)
    counted.writeBigUInt64LE(BigInt(total))
    await send(stream, counted)
    await stream.close()
  }, many)
  // How long each message was under way: its first 8 bytes say when it was published, by the clock that both programs read.
  let took = []
  let last = 0n
  node.services.pubsub.addEventListener('message', ({ detail }) => {
    last = process.hrtime.bigint()
    took.push(Number(last - Buffer.from(detail.data.buffer, detail.data.byteOffset, 8).readBigInt64LE()))
  })
  node.services.pubsub.subscribe(topic)
  await node.handle(heard, async stream => {
    const question = []
    for await (const chunk of stream) {
      question.push(chunk.subarray())
    }
    const expected = Number(Buffer.concat(question).readBigInt64LE())
    // Three seconds after the last one nothing more comes.
    const asked = process.hrtime.bigint()
    while (took.length < expected && process.hrtime.bigint() - (last > asked ? last : asked) < 3_000_000_000n) {
      await sleep(10)
    }
    took.sort((a, b) => a - b)
    const answer = Buffer.alloc(32)
    answer.writeBigInt64LE(BigInt(took.length))
    answer.writeBigInt64LE(last, 8)
    answer.writeBigInt64LE(BigInt(took[Math.floor(took.length / 2)] ?? 0), 16)
    answer.writeBigInt64LE(BigInt(took[Math.floor(took.length * 99 / 100)] ?? 0), 24)
    took = []
    await send(stream, answer)
    await stream.close()
  }, many)
  console.log(JSON.stringify({ peer: node.peerId.toString(), address: node.getMultiaddrs()[0].decapsulate('/p2p').toString() }))
  process.stdin.on('data', () => {}).on('end', () => process.exit(0))
} else {
  const id = peerIdFromString(peer)
  const whole = multiaddr(`${address}/p2p/${peer}`)
  const percentile = (samples, percent) => samples.sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * percent / 100))]

  const measureAll = async (seconds, quick) => {
    const figures = {}
    if (wanted('connect')) {
      const connects = []
      const [warmUp, count] = quick ? [50, 50] : [200, 200]
      for (let i = 0; i < warmUp + count; i++) {
        const start = performance.now()
        const connection = await node.dial(whole)
        if (i >= warmUp) {
          connects.push(performance.now() - start)
        }
        // What follows a connection is done before the next is measured.
        await sleep(5)
        await connection.close()
      }
      figures.connectMsP50 = percentile(connects, 50)
      figures.connectMsP90 = percentile(connects, 90)
    }

    await node.dial(whole)
    await sleep(500)
    if (wanted('ping')) {
      const stream = await node.dialProtocol(id, echo, many)
      const chunks = stream[Symbol.asyncIterator]()
      const pings = []
      const begun = performance.now()
      while (performance.now() - begun < 2000 * seconds) {
        const start = performance.now()
        stream.send(new Uint8Array(32))
        for (let filled = 0; filled < 32;) {
          filled += (await chunks.next()).value.byteLength
        }
        if (performance.now() - begun > 1000 * seconds) {
          pings.push(performance.now() - start)
        }
      }
      stream.abort(new Error('done'))
      figures.pingMsP50 = percentile(pings, 50)
      figures.pingMsP99 = percentile(pings, 99)
    }

    const question = new Uint8Array(messageBytes)
    const request = async () => {
      const stream = await node.dialProtocol(id, ask, { ...many, negotiateFully: false })
      stream.send(question)
      stream.close()
      let came = 0
      for await (const chunk of stream) {
        came += chunk.byteLength
      }
      if (came !== messageBytes) {
        throw new Error(`${came} bytes came back`)
      }
    }
    const rate = async atOnce => {
      let done = 0
      let counts = false
      let stop = false
      const askers = Array.from({ length: atOnce }, async () => {
        while (!stop) {
          await request()
          done += counts ? 1 : 0
        }
      })
      await sleep(500 * seconds)
      counts = true
      const begun = performance.now()
      await sleep(1000 * seconds)
      const perSecond = done / (performance.now() - begun) * 1000
      stop = true
      await Promise.all(askers)
      return perSecond
    }
    if (wanted('ask')) {
      figures.requestsPerSecond1 = await rate(1)
      figures.requestsPerSecond32 = await rate(32)
    }

    if (wanted('stream')) {
      const megabytes = quick ? 64 : 256
      const rates = []
      // What is sent in the first second does not count: code is compiled, and windows grow.
      for (const begun = performance.now(); rates.length < 3;) {
        const counts = performance.now() - begun > 1000
        const stream = await node.dialProtocol(id, sink, many)
        const block = new Uint8Array(64 * 1024)
        const start = performance.now()
        for (let i = 0; i < megabytes * 16; i++) {
          await send(stream, block)
        }
        await stream.close()
        const counted = []
        for await (const chunk of stream) {
          counted.push(chunk.subarray())
        }
        if (Number(Buffer.concat(counted).readBigUInt64LE()) !== megabytes * 1024 * 1024) {
          throw new Error('bytes were lost')
        }
        if (counts) {
          rates.push(megabytes / (performance.now() - start) * 1000)
        }
      }
      figures.streamMiBPerSecond = percentile(rates, 50)
    }

    if (wanted('gossip')) {
      const me = await create(true)
      const pubsub = me.services.pubsub
      await me.dial(whole)
      while (pubsub.getSubscribers(topic).length === 0) {
        await sleep(10)
      }
      const publish = async () => {
        const data = Buffer.alloc(gossipBytes)
        data.writeBigInt64LE(process.hrtime.bigint())
        await pubsub.publish(topic, data)
      }
      const ask = async expected => {
        const stream = await me.dialProtocol(id, heard, many)
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64LE(BigInt(expected))
        await send(stream, bytes)
        await stream.close()
        const answer = []
        for await (const chunk of stream) {
          answer.push(chunk.subarray())
        }
        return Array.from({ length: 4 }, (_, i) => Buffer.concat(answer).readBigInt64LE(8 * i))
      }
      const flood = async time => {
        let published = 0
        const begun = process.hrtime.bigint()
        await Promise.all(Array.from({ length: publishers }, async () => {
          for (; process.hrtime.bigint() - begun < BigInt(time * 1e6); published++) {
            await publish()
          }
        }))
        const [count, last] = await ask(published)
        return [Number(count) / Number(last - begun) * 1e9, published - Number(count)]
      }
      await flood(500 * seconds)
      const [perSecond, lost] = await flood(1000 * seconds)
      figures.gossipPerSecond = perSecond
      figures.gossipLost = lost
      for (let i = 0; i < latencies / (quick ? 5 : 1); i++) {
        await publish()
        await sleep(5)
      }
      const [, , p50, p99] = await ask(latencies / (quick ? 5 : 1))
      figures.gossipMsP50 = Number(p50) / 1e6
      figures.gossipMsP99 = Number(p99) / 1e6
      await me.stop()
    }
    return figures
  }
  // All of it once to warm up, as drap is.
  await measureAll(2, true)
  const figures = await measureAll(quick ? 1 : 4, quick)
  console.log(JSON.stringify(Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(4))]))))
  process.exit(0)
}
