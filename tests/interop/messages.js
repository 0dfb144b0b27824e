// drap's messages as another program reads them: CBOR by cbor-x, names by the committed JSON Schemas, which are also what they are held against.
// See docs/protocol/messages.md.

import { readdirSync, readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Decoder } from 'cbor-x'

const folder = new URL('../../docs/protocol/schemas/', import.meta.url)
const decoder = new Decoder({ mapsAsObjects: false, useRecords: false, int64AsNumber: true })
// The keywords that begin with x- are drap's own; formats are for people.
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })

const kinds = new Map()
for (const name of readdirSync(folder).filter(name => name.endsWith('.schema.json'))) {
  const schema = JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
  if (schema['x-cbor-kind'] != null) {
    kinds.set(schema['x-cbor-kind'], { schema, validate: ajv.compile(schema) })
  }
}

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

function base58 (bytes) {
  let number = BigInt('0x' + Buffer.from(bytes).toString('hex'))
  let text = ''
  for (; number > 0n; number /= 58n) {
    text = alphabet[Number(number % 58n)] + text
  }
  return '1'.repeat(bytes.findIndex(byte => byte !== 0)) + text
}

function bytesAs (type, bytes) {
  switch (type) {
    case '16 bytes':
      return Buffer.from(bytes).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    case 'bytes of the multihash':
      return base58(bytes)
    case 'bytes':
      return Buffer.from(bytes).toString('base64')
    default:
      throw new Error(`bytes of the kind '${type}' are not read here`)
  }
}

// A key that the schema does not know is left as a number: the schema's reader skips it.
function named (value, schema, root) {
  const own = schema.$ref == null ? schema : { ...root.$defs[schema.$ref.slice('#/$defs/'.length)], ...schema }
  if (value instanceof Map) {
    const byKey = new Map(Object.entries(own.properties).map(([name, property]) => [property['x-cbor-key'], [name, property]]))
    return Object.fromEntries([...value].map(([key, item]) => {
      const [name, property] = byKey.get(key) ?? [`${key}`, null]
      return [name, property == null ? null : named(item, property, root)]
    }))
  }
  if (value instanceof Uint8Array) {
    return bytesAs(own['x-cbor-type'], value)
  }
  if (Array.isArray(value)) {
    return value.map(item => named(item, own.items, root))
  }
  return value
}

/** Reads a frame: what it is, what it says, and what of that its schema does not allow. */
export function read (frame) {
  const [version, kind, body] = decoder.decode(frame)
  if (version !== 1 || !kinds.has(kind)) {
    throw new Error(`a message of version ${version} and kind ${kind}`)
  }
  const { schema, validate } = kinds.get(kind)
  const message = named(body, schema, schema)
  return { kind: schema.title, message, errors: validate(message) ? [] : validate.errors.map(e => `${e.instancePath} ${e.message}`) }
}
