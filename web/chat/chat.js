// The chat's page: what is shown, and what is done by whom looks at it. The streams are in talks.js.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import { Me, canBePrivate, makeId } from '/chat/me.js'
import { Inbox, Kept, Room } from '/chat/talks.js'
import { $, Line, explain, make, show } from '/page.js'

const line = new Line()
const me = await Me.load()
const talks = new Map() // by id, rooms first
const states = new Map() // by talk: what to show
let current
let people = new Map() // by id: { name, key, room, typing }

// ---- talks ----------------------------------------------------------------------------------------

const tidy = (name) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 24)

function onstate(talk, state, info) {
  states.set(talk, explain(state, info))
  if (talk === current || talk === current?.inbox) showState()
}

function showState() {
  const words = states.get(current?.inbox ?? current) ?? explain('connecting')
  show($('#state'), line.isCut ? ['wait', 'You have cut the line. What you write waits here; what others write waits on the server.'] : words)
}

function add(talk) {
  if (talks.has(talk.id)) return showSide()
  talks.set(talk.id, talk)
  talk.addEventListener('change', () => {
    if (talk === current) showLog()
    else showSide()
  })
  showSide()
}

function addRoom(name) {
  const id = `room/${name}`
  if (!talks.has(id)) add(new Room(name, me, line, onstate))
  return talks.get(id)
}

function open(talk) {
  current = talk
  $('#title').textContent = talk.title
  $('#log').replaceChildren()
  location.hash = talk.id
  showState()
  showLog()
  showSide()
  tell()
}

// ---- what is shown --------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const marks = { sending: 'on its way…', failed: 'not sent' }

function row(message) {
  const time = make('time', { dateTime: new Date(message.at).toISOString() }, clock.format(message.at))
  const mark = make('span', { className: 'mark' }, message.state === 'failed' ? `${marks.failed}: ${message.why}` : marks[message.state] ?? '')
  const element = make('li', { className: message.mine ? 'mine' : '' },
    make('b', {}, message.name), ' ', time, make('p', {}, message.text), mark)
  element.dataset.id = message.id
  element.dataset.state = message.state
  return element
}

// Only what has changed is made anew, so that it is read out once.
function showLog() {
  const log = $('#log')
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60
  const have = new Map([...log.children].map((element) => [element.dataset.id, element]))
  let place = null
  for (const message of current.messages) {
    let element = have.get(message.id)
    if (element?.dataset.state !== message.state) {
      const fresh = row(message)
      element?.replaceWith(fresh)
      element = fresh
    }
    have.delete(message.id)
    const next = place ? place.nextSibling : log.firstChild
    if (element !== next) log.insertBefore(element, next)
    place = element
  }
  for (const element of have.values()) element.remove()
  if (isAtEnd) log.scrollTop = log.scrollHeight
  if (document.visibilityState === 'visible') current.seen()
  showSide()
}

function entry(talk) {
  const unread = talk === current ? 0 : talk.unread
  const button = make('button', { type: 'button', onclick: () => open(talk) }, make('span', {}, talk.title))
  if (unread) button.append(make('span', { className: 'unread' }, String(unread), make('span', { className: 'aside' }, ' unread')))
  if (talk === current) button.setAttribute('aria-current', 'true')
  button.dataset.talk = talk.id
  return make('li', {}, button)
}

// Puts `fresh` in the place of what is there if it differs, and leaves the focus where it was.
function replace(list, fresh) {
  const next = make('ul', {}, ...fresh)
  if (next.innerHTML === list.innerHTML) return
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.talk : null
  list.replaceChildren(...next.children)
  if (focused) list.querySelector(`[data-talk="${CSS.escape(focused)}"]`)?.focus()
}

function showSide() {
  const all = [...talks.values()]
  const privates = all.filter((talk) => talk.inbox)
  replace($('#rooms'), all.filter((talk) => !talk.inbox).map(entry))
  const rows = [...new Map([...people, ...privates.map((talk) => [talk.person, people.get(talk.person)])])]
    .filter(([id]) => id !== me.id)
    .map(([id, person]) => personRow(id, person, talks.get(`private/${id}`)))
  replace($('#people'), rows.length ? rows : [make('li', { className: 'nobody' }, 'Nobody else is here. Open this page in a second window.')])
  const unread = all.reduce((sum, talk) => sum + (talk === current ? 0 : talk.unread), 0)
  document.title = `${unread ? `(${unread}) ` : ''}${current?.title ?? 'Chat'} · Duplex`
}

function personRow(id, person, talk) {
  const name = person?.name ?? talk.title
  const where = person ? (person.room ? `in ${person.room}` : '') : 'away'
  const button = make('button', { type: 'button', disabled: !canBePrivate || !(person?.key ?? talk), className: person ? 'here' : '' },
    make('span', {}, name), make('small', {}, where))
  button.onclick = () => open(talk ?? inbox.with(id, person.key, person.name))
  button.title = canBePrivate ? `Write to ${name} alone` : 'Private messages need https:// or localhost'
  button.dataset.talk = `private/${id}`
  if (talk && talk === current) button.setAttribute('aria-current', 'true')
  else if (talk?.unread) button.append(make('span', { className: 'unread' }, String(talk.unread), make('span', { className: 'aside' }, ' unread')))
  return make('li', {}, button)
}

// ---- who is there, who types ------------------------------------------------------------------------

// One stream for the presence of all; a member is one window of one person.
const present = new Stream('/live/chat/people', { type: 'application/json', WebSocket: line.WebSocket, fetch: line.fetch })
  .presence(({ members }) => {
    people = new Map()
    for (const [id, data] of members) {
      if (typeof data?.name !== 'string') continue
      const person = { ...people.get(id.split('.')[0]), ...data, name: data.name.slice(0, 24) || 'somebody' }
      people.set(id.split('.')[0], person)
    }
    showSide()
    showTyping()
  }, { id: `${me.id}.${makeId().slice(0, 6)}`, data: presence() })

function presence(typing = false) {
  return { name: me.name, key: me.key, room: current && !current.inbox ? current.title : '', typing: typing && current ? (current.inbox ? me.id : current.title) : '' }
}

let typingUntil = 0
let told = ''
function tell() {
  const data = presence(Date.now() < typingUntil)
  if (told === JSON.stringify(data)) return
  told = JSON.stringify(data)
  present.update(data)
}

function showTyping() {
  const where = current?.inbox ? current.person : current?.title
  const names = [...people].filter(([id, { typing }]) => id !== me.id && typing && typing === where).map(([, { name }]) => name)
  $('#typing').textContent = names.length === 0 ? '' : names.length > 3 ? 'Several people are typing…'
    : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing…`
}

// ---- what one does ----------------------------------------------------------------------------------

$('#name').value = me.name
$('#me').addEventListener('submit', (event) => (event.preventDefault(), $('#words').focus()))
$('#name').addEventListener('change', () => {
  me.rename($('#name').value.trim() || me.name)
  $('#name').value = me.name
  tell()
})

$('#words').addEventListener('input', () => {
  typingUntil = $('#words').value ? Date.now() + 3000 : 0
  tell()
  if (typingUntil) setTimeout(tell, 3050)
})

$('#say').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = $('#words').value.trim()
  if (!text) return
  $('#words').value = ''
  typingUntil = 0
  tell()
  $('#log').scrollTop = $('#log').scrollHeight
  current.send(text)
})

$('#new-room').addEventListener('submit', async (event) => {
  event.preventDefault()
  const name = tidy($('#room').value)
  $('#room').value = ''
  if (!name) return
  const isNew = !talks.has(`room/${name}`)
  open(addRoom(name))
  $('#words').focus()
  if (isNew) rooms.ready.then(() => rooms.stream.publish({ name })).catch((error) => show($('#state'), ['bad', `The room is not in the list: ${error.message}`]))
})

$('#cut').addEventListener('click', () => {
  if (line.isCut) line.mend()
  else line.cut()
  $('#cut').setAttribute('aria-pressed', line.isCut)
  $('#cut').textContent = line.isCut ? 'Mend the line' : 'Cut the line'
  showState()
})

document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && current && showLog())

// ---- to begin with ----------------------------------------------------------------------------------

const inbox = canBePrivate ? new Inbox(me, line, { ontalk: add, onstate }) : null
for (const name of ['lobby', 'ideas']) addRoom(name)
const rooms = new Kept('/s/chat/rooms', line, { onvalue: (value) => typeof value?.name === 'string' && tidy(value.name) && addRoom(tidy(value.name)) })
const wanted = decodeURIComponent(location.hash.slice(1))
open(wanted.startsWith('room/') && tidy(wanted.slice(5)) ? addRoom(tidy(wanted.slice(5))) : talks.get('room/lobby'))
