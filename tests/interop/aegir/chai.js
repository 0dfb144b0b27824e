// The chai that the interop suite imports from aegir: chai itself, chai-as-promised, and what the suite uses beyond them.

import { Assertion, expect, use } from 'chai'
import chaiAsPromised from 'chai-as-promised'

use((_, { flag }) => {
  Assertion.addMethod('equalBytes', function (expected) {
    const hex = bytes => Buffer.from(bytes).toString('hex')
    const actual = flag(this, 'object')
    const shown = actual instanceof Uint8Array ? hex(actual) : actual
    this.assert(shown === hex(expected), 'expected #{act} to be the bytes #{exp}', 'expected other bytes than #{exp}', hex(expected), shown)
  })

  // Properties in chai, which the suite calls.
  const methods = {
    ok: [value => Boolean(value), 'expected #{this} to be truthy', 'expected #{this} to be falsy'],
    exist: [value => value != null, 'expected #{this} to exist', 'expected #{this} not to exist']
  }
  for (const [name, [holds, yes, no]] of Object.entries(methods)) {
    delete Assertion.prototype[name]
    Assertion.addMethod(name, function () {
      this.assert(holds(flag(this, 'object')), yes, no)
    })
  }
})

// Last: it makes every assertion it finds one that can wait.
use(chaiAsPromised)

export { expect }
