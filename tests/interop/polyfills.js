// What js-libp2p expects of its runtime and Node 20 lacks. Must be the first import of a program.

Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
