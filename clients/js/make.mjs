// Makes what a page loads, duplex.js (a module) and duplex.classic.js (a script), from src/.
// Usage: node make.mjs [DIRECTORY]
// Is:     the modules in a row, without comments and blanks, and with short names for what has no name outside:
//         _members, and variables whose name stands nowhere as a key.
// Is not: for any JavaScript but that of src/; the tests load what it makes.
// SPDX-License-Identifier: MIT
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const modules = ['values', 'http', 'outbox', 'readers', 'presence', 'websocket', 'doors', 'line', 'stream']
const licence = '// Duplex, MIT\n'

const source = modules.map((name) => fs.readFileSync(path.join(here, 'src', `${name}.js`), 'utf8'))
  .join('').replace(/^(import .*|export \{.*\})$/gm, '').replace(/^export /gm, '').replace(/(^|\s)\/\/.*$/gm, '')

// Blanks; strings; regular expressions (where no value stands before); names; all else.
const pattern = new RegExp([/(\s+)/, /('(?:\\.|[^'\\])*')/, /(?<=[(,=:[!&|?{}>\n]\s*)(\/(?:\\.|\[[^\]]*\]|[^/\\\n])+\/\w*)/,
  /([#\w$]+)/, /(=>|[^])/].map(({ source: text }) => text).join('|'), 'gy')

function split(text) {
  const tokens = []
  for (const [, blank, string, regex, name, other] of text.matchAll(pattern)) {
    if (blank) tokens.push({ is: 'blank', text: blank.includes('\n') ? '\n' : ' ' })
    else if (name) tokens.push({ is: 'name', text: name })
    else tokens.push({ is: other ? 'other' : 'literal', text: other ?? string ?? regex })
  }
  return tokens
}

// A template is its text between pieces of code.
function tokenize(text) {
  const at = text.indexOf('`')
  if (at < 0) return split(text)
  const tokens = [...split(text.slice(0, at)), { is: 'literal', text: '`' }]
  let rest = text.slice(at + 1)
  for (;;) {
    const [, part, end] = /^((?:\\.|\$(?!\{)|[^`\\$])*)(`|\$\{)/.exec(rest)
    rest = rest.slice(part.length + end.length)
    tokens.push({ is: 'literal', text: part + end })
    if (end === '`') return [...tokens, ...tokenize(rest)]
    let depth = 1
    let close = 0
    for (; depth > 0; close++) depth += rest[close] === '{' ? 1 : rest[close] === '}' ? -1 : 0
    tokens.push(...tokenize(rest.slice(0, close - 1)), { is: 'literal', text: '}' })
    rest = rest.slice(close)
  }
}

const all = tokenize(source)
const code = all.filter(({ is }) => is !== 'blank')

// ---- names ------------------------------------------------------------------------------------------

const opens = ({ is, text }) => is === 'other' && /^[([{]$/.test(text)
const closes = ({ is, text }) => is === 'other' && /^[)\]}]$/.test(text)
const oneOf = (text) => new Set(text.split(/\s+/))
const words = oneOf(`async await break case catch class const constructor continue default do else extends false finally for
  function get if in instanceof let new null of return static super this throw true try typeof undefined void while yield`)
const globals = oneOf(`Stream DuplexError AbortController AbortSignal ArrayBuffer Date Error EventTarget JSON Map Math
  Object Promise Set String Symbol TextDecoder TextEncoder TypeError URL Uint8Array atob clearInterval clearTimeout
  console fetch globalThis setInterval setTimeout`)
const isForeign = (name) => words.has(name) || globals.has(name) || /^[\d#]/.test(name)

// How deep each token stands, and in which piece: a statement at the top, or a member of a class.
function locate() {
  let depth = 0
  let piece = 0
  let isClass = false
  for (const token of code) {
    if (closes(token)) depth--
    if (depth === 0 && /^(const|function|class|async)$/.test(token.text)) {
      piece++
      isClass = token.text === 'class'
    }
    Object.assign(token, { depth, piece })
    if (opens(token)) depth++
    if (isClass && depth === 1 && closes(token) && token.text === '}') piece++
  }
}

// Where the bracket at i is closed; where the one that i stands in was opened (-1: none).
function closing(i) {
  return code.findIndex((token, at) => at > i && closes(token) && token.depth === code[i].depth)
}

function opening(i) {
  return code.findLastIndex((token, at) => at < i && opens(token) && token.depth < code[i].depth)
}

// What token i is: a member of ours, a variable, or known outside.
function kindOf(i) {
  const { is, text } = code[i]
  const before = code[i - 1]?.text
  const after = code[i + 1]?.text
  if (is !== 'name' || isForeign(text)) return ''
  if (text.startsWith('_')) return 'member'
  const isMember = before === '.' && code[i - 2].text !== '.' // "..." stands before variables
  const isGetter = /^(get|async|\*)$/.test(before) && after === '('
  const isMethod = /^[{}]$/.test(before) && after === '(' && code[closing(i + 1) + 1]?.text === '{'
  const isKey = /^[{,]$/.test(before) && (after === ':' || (/^[,}=]$/.test(after) && code[opening(i)]?.text === '{'))
  return isMember || isGetter || isMethod || isKey ? '' : 'variable'
}

const alphabet = [...'etnairoslcdupmhgfbyvwkxjqzETNAIROSLCDUPMHGFBYVWKXJQZ']
const names = [...alphabet, ...alphabet.flatMap((a) => alphabet.map((b) => a + b))].filter((name) => !isForeign(name))

// Short names for long ones, but none of `used`.
const shorten = (texts, used) => {
  const free = names.filter((name) => !used.has(name))
  return new Map([...new Set(texts)].map((text, i) => [text, free[i]]))
}

// The most frequent first; one after the other, so that pieces which do alike look alike.
const byUse = (tokens, used = new Set()) => {
  const count = new Map()
  for (const { text } of tokens) count.set(text, (count.get(text) ?? 0) + 1)
  return shorten([...count].sort((a, b) => b[1] - a[1]).map(([text]) => text), used)
}
const byPlace = (tokens, used) => shorten(tokens.map(({ text }) => text), used)

// Members of ours are one family of names, what is declared at the top another; each piece has its own.
function rename() {
  locate()
  code.forEach((token, i) => (token.kind = kindOf(i)))
  const isKept = (tokens) => new Set(tokens.filter(({ is, kind }) => is === 'name' && !kind).map(({ text }) => text))
  const isDeclared = ({ depth }, i) => depth === 0 && /^(const|function|class)$/.test(code[i - 1]?.text)
  const declared = new Set(code.filter(isDeclared).map(({ text }) => text))
  const topKept = isKept(code.filter(({ text }) => declared.has(text)))
  const isTop = ({ text }) => declared.has(text) && !topKept.has(text)
  const members = byUse(code.filter(({ kind }) => kind === 'member'))
  const top = byUse(code.filter((token) => token.kind === 'variable' && isTop(token)), isKept(code))
  for (const token of code) if (token.kind === 'member') token.short = members.get(token.text)
  const pieces = new Map()
  for (const token of code) pieces.set(token.piece, [...(pieces.get(token.piece) ?? []), token])
  for (const tokens of pieces.values()) {
    const kept = isKept(tokens)
    const own = tokens.filter((token) => token.kind === 'variable' && !declared.has(token.text) && !kept.has(token.text))
    const used = new Set([...kept, ...tokens.filter(isTop).map(({ text }) => top.get(text))])
    const local = byPlace(own, used)
    for (const token of own) token.short = local.get(token.text)
    for (const token of tokens) if (token.kind === 'variable' && isTop(token)) token.short = top.get(token.text)
  }
}

const briefer = new Map([['const', 'let'], ['true', '!0'], ['false', '!1'], ['undefined', 'void 0']])

// Words that have a shorter form, the brackets around one parameter, and the comma behind a last element.
function drop() {
  code.forEach((token, i) => {
    const [next, end, arrow] = code.slice(i + 1)
    if (token.is === 'name') token.short ??= briefer.get(token.text)
    if (token.text === ',' && closes(next)) token.short = ''
    if (token.text === '(' && next.is === 'name' && end?.text === ')' && arrow?.text === '=>')
      token.short = end.short = code[i - 1].text === 'async' ? ' ' : ''
  })
}

// Declarations that follow each other are one.
function join() {
  const first = [] // by depth: what the statement begins with that is being read there
  let depth = 0
  all.forEach((token, i) => {
    if (closes(token)) first.length = depth--
    if (token.is !== 'blank') first[depth] ??= token.text
    if (opens(token)) depth++
    if (token.is !== 'blank' || !isEnd(i)) return
    const [declares, blank] = all.slice(i + 1)
    if (first[depth] === 'const' && declares?.text === 'const') {
      token.short = ','
      declares.short = blank.short = ''
    }
    first.length = depth
  })
}

// Whether a statement can end, and another begin, at blank i.
function isEnd(i) {
  const [before, after] = [all[i - 1]?.text ?? '', all[i + 1]?.text ?? '']
  return all[i].text === '\n' && !/[{([,;:?=>&|!]$/.test(before) && !/^[)\]},.?:=&|]/.test(after)
}

// A blank stays between two words; a line's end, where a statement ends.
function write() {
  let out = ''
  rename()
  drop()
  join()
  all.forEach(({ is, text, short }, i) => {
    const after = all[i + 1]?.text ?? ''
    if (is !== 'blank' || short !== undefined) out += short ?? text
    else if (isEnd(i)) out += '\n'
    else if (/[\w$]$/.test(out) && /^[\w$#]/.test(after)) out += ' '
    else if (/[+-]$/.test(out) && /^[+-]/.test(after)) out += ' '
  })
  return out.trim()
}

const made = write()
const out = process.argv[2] ?? here
fs.writeFileSync(path.join(out, 'duplex.js'), `${licence}${made}\nexport{Stream,DuplexError}\n`)
fs.writeFileSync(path.join(out, 'duplex.classic.js'),
  `${licence}globalThis.Duplex=(()=>{'use strict'\n${made}\nreturn{Stream,DuplexError}})()\n`)
