// Being there, and knowing who else is.
// SPDX-License-Identifier: MIT
import { call, makeId } from './values.js'

export class Presence {
  _members = new Map()

  constructor(line, fn, { data, id = makeId(), onerror } = {}) {
    Object.assign(this, { _line: line, _fn: fn, _data: data, _onerror: onerror, id })
  }

  update(data) {
    this._data = data
    if (this._line._present === this) this._line._socket?.send(`\n${JSON.stringify({ presence: data })}`)
  }

  close() {
    if (this._line._present !== this) return
    this._line._present = undefined
    this._line._relink()
  }

  _fail(error) {
    call(this._onerror, error)
  }

  // All who are there, once joined; what is told meanwhile is newer.
  async _list() {
    const notes = (this._notes = [])
    const all = []
    let page
    try {
      do {
        page = await (await this._line._http._fetch({ presence: '', limit: 1000, after: page?.next })).json()
        all.push(...page.members)
      } while (page.next)
    } catch (error) {
      page = undefined // half a list is none
      if (error.permanent) this._fail(error)
    }
    if (this._notes !== notes) return
    this._notes = undefined
    if (page) {
      const ids = new Set(all.map(({ id }) => id))
      this._note({ join: all, leave: [...this._members.keys()].filter((id) => !ids.has(id)), count: page.count })
    }
    for (const note of notes) this._note(note)
  }

  // What was known already is nothing to tell.
  _note(note) {
    const { _members: members } = this
    if (this._notes) return void this._notes.push(note)
    const text = JSON.stringify
    const join = note.join.filter(({ id, data }) => !members.has(id) || text(data) !== text(members.get(id)))
    const leave = note.leave.filter((id) => members.delete(id))
    for (const { id, data } of join) members.set(id, data)
    if (join.length || leave.length) call(this._fn, { members, count: note.count, join, leave })
  }
}
