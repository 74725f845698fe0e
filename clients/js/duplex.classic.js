// Duplex, MIT
globalThis.Duplex=(()=>{'use strict'
const p={400:'bad_request',401:'unauthorized',403:'forbidden',404:'not_found',409:'conflict',410:'gone',413:'too_large',415:'wrong_type',429:'too_many',503:'unavailable'}
class DuplexError extends Error{constructor(code,e){super(e?.detail||e?.title||code)
Object.assign(this,{status:0,title:'',detail:''},e,{name:'DuplexError',code})}
get permanent(){const{status}=this
return status>=400&&status<500&&status!==408&&status!==429}}
const o=(status,e)=>new DuplexError(e.code??p[status]??(status<500?'refused':'failed'),{...e,status})
const e=(detail,t)=>new DuplexError('offline',{detail,...t})
const a=detail=>new DuplexError('blocked',{detail})
const n=e=>/^application\/json\b|^[^;]*\+json\b/i.test(e)
const s=e=>n(e)||/^text\//i.test(e)
const l=e=>ArrayBuffer.isView(e)||e instanceof ArrayBuffer
const c=()=>[...crypto.getRandomValues(new Uint32Array(3))].map(e=>e.toString(36)).join('')
const t=(e,...n)=>{try{e?.(...n)}catch(a){setTimeout(()=>{throw a})}}
const decode=(t,e)=>{if(s(t)&&l(e))e=new TextDecoder().decode(e)
return n(t)?JSON.parse(e):e}
const encode=(t,e)=>{if(e instanceof ArrayBuffer)return new Uint8Array(e)
if(l(e))return new Uint8Array(e.buffer,e.byteOffset,e.byteLength)
if(n(t)||typeof e!=='string')return JSON.stringify(e)
return s(t)?e:new TextEncoder().encode(e)}
const d=e=>l(e)?'application/octet-stream':typeof e==='string'?'text/plain':'application/json'
const u=t=>{throw t instanceof DuplexError?t:e(String(t?.cause?.message??t))}
class m{constructor(t,e){this.q=new URL(t,globalThis.location?.href)
this.q.protocol=this.q.protocol.replace(/^ws/,'http')
this.s=e
this.t=e.type}
async J(){const{token}=this.s
return typeof token==='function'?token():token}
Q(e){const n=new URL(this.q)
for(const t in e)if(e[t]!==undefined)n.searchParams.set(t,e[t])
return n}
async l(n,{headers,...a}={}){const t=await this.J()
const e=await this.s.fetch(this.Q(n),{signal:AbortSignal.timeout(30000),...a,headers:{...(t&&{Authorization:`Bearer ${t}`}),...this.s.headers,...headers}}).catch(u)
if(e.ok)return e
const{type,...i}=await e.json().catch(()=>({}))
const of=r=>e.headers.get(r)??undefined
throw o(e.status,{title:e.statusText,...i,...(of('Stream-Closed')&&{code:'closed'}),retry_ms:of('Retry-After')*1000||0,expected:of('Producer-Expected-Seq')})}
z({headers}){return{type:headers.get('Content-Type')??undefined,offset:headers.get('Stream-Next-Offset'),closed:headers.has('Stream-Closed'),Z:headers.has('Stream-Up-To-Date')}}
async b(){const{type,offset,closed}=this.z(await this.l({},{method:'HEAD'}))
this.t??=type
return{type,offset,closed}}
async ew(e=this.t??'application/json'){await this.l({},{method:'PUT',headers:{'Content-Type':e}})
this.t=e}
async ee(t){const a=this.z(t)
const e=new Uint8Array(await t.arrayBuffer().catch(u))
const type=(this.t=a.type??this.t)
return Object.assign(n(type)?decode(type,e):e.length?[decode(type,e)]:[],a)}
async C(e){return this.ee(await this.l(e))}
ek(offset){const t=n=>this.C({offset:n})
return{offset,async*[Symbol.asyncIterator](){for(let e={};!e.Z;this.offset=e.offset)yield*e=await t(this.offset)}}}}
class h{et=c()
E=0
y=0
r=[]
u=0
v=0
T=false
D=false
en=0
ea=0
ei=16000
constructor(e){this.e=e
this.n=e.n}
ex(data){return new Promise((resolve,reject)=>{const e=this.e.s.queue_max
if(this.e.w)throw new DuplexError('stopped')
if(this.r.length>=e)throw new DuplexError('busy',{detail:`${e} wait`})
if(encode('',data)===undefined)throw new TypeError('nothing to publish')
this.r.push({data,resolve,reject})
clearTimeout(this.N)
this.N=0
if(this.ea++)this.e.U()
this.p()})}
get ej(){return this.ea>1&&(this.r.length>0||this.N>0)}
p(){const{e:t,r:e}=this
if(!e.length||this.er||this.T||this.D)return
const a=({data})=>(data?.byteLength??JSON.stringify(data).length)<this.ei
const n=this.n.t
if(t.c&&n)
while(this.u<Math.min(e.length,64)&&a(e[this.u]))this.eq(n)
if(this.v)return
if(!n||!t.h||!t.A||!a(e[0]))this.eo()}
eq(t){const e=`${this.E}.${this.y+this.u}\n`
const data=encode(t,this.r[this.u].data)
this.u++
this.v++
this.e.c.send(typeof data==='string'?e+data:Uint8Array.of(...new TextEncoder().encode(e),...data))}
es(t,e){this.v--
if(!e)this.T=true
else if(t===`${this.E}.${this.y}`){this.u--
this.el(e)}
if(!this.v&&this.T){this.ec()
this.eo()}else this.p()}
ec(){this.u=this.v=0
this.T=false}
el({offset,duplicate}){this.y++
this.en=0
this.r.shift().resolve(duplicate?{duplicate}:{offset})
if(this.r.length)return
this.N=1
this.e.P(5000,()=>{if(this.r.length)return
this.N=0
if(!this.e.I)this.e.g()})}
async eo(){const{n:e,r:[t]}=this
if(!t)return
const r=!e.t
this.D=true
try{const a=e.t??d(t.data)
const data=encode(a,t.data)
const o=typeof data==='string'
const l=await e.l({},{method:'POST',body:n(a)&&o?`[${data}]`:data,headers:{'Content-Type':s(a)&&!o?d(data):a,'Producer-Id':this.et,'Producer-Epoch':`${this.E}`,'Producer-Seq':`${this.y}`}})
e.t??=a
if(t===this.r[0])this.el({...e.z(l),duplicate:l.status===204})}catch(i){if(r&&i.code==='conflict'&&!i.expected)await e.b().catch(()=>{})
if(t===this.r[0]&&!(r&&e.t))this.ez(i)}
this.D=false
this.p()}
ez(e){if(e.permanent||!(e instanceof DuplexError)){if(e.expected===undefined)this.r.shift().reject(e)
this.E++
this.y=0
return}
this.er=1
this.e.P(this.e.ed(this.en++,e),()=>{this.er=0
this.p()})}}
class g{constructor(e,{offset='now',last,onstate,ongap},close){Object.assign(this,{k:e,offset,R:last,eu:onstate,ep:ongap,close,state:''})}
O(state,e={}){if(state===this.state&&state!=='waiting')return
this.state=state
if(this.eu)t(this.eu,state,e)
else if(e.isFinal&&e.error)setTimeout(()=>{throw e.error})}}
class f{a=new Set()
x=''
constructor(e){this.e=e}
eE(a,i){const{e:n,x:t}=this
const e=new g(a,i,()=>this.eT(e))
if(t&&e.offset==='now'&&!e.R)e.offset=t
this.a.add(e)
if(t&&e.offset===t)e.O('live')
else if(n.h)n.g()
n.U()
return e}
eT(e){if(!this.a.delete(e))return
e.O('stopped')
if(!this.e.I)this.e.g()}
j(e,t){for(const n of this.a)n.O(e,t)}
f(e,error){const t=[...this.a]
this.a.clear()
for(const n of t)n.O(e,{error,isFinal:true})}
M(offset,n){if(this.x)this.x=offset
for(const e of this.a)
if(e.offset==='now'||offset>e.offset){e.offset=offset
t(e.k,n,{offset})}}
H(offset,door,t){if(t)this.x=offset
for(const e of this.a)if(e.offset==='now'||offset>e.offset)e.offset=offset
this.j(t?'live':'catching_up',{door})}
G(e,a=e.lost===null){for(const n of this.a)
if(a||n.offset===e.requested||n.offset<e.earliest){n.offset=e.earliest
if(n.ep)t(n.ep,e)
else console.warn('Duplex: a gap',e)}}
get S(){return[...this.a].map(e=>e.offset).sort()[0]??'now'}
async eN(){const n=this.e.n
const i=r=>{if(r.status!==404)throw r
return Object.assign([],{offset:'-1'})}
if(this.eA&&!n.t)await n.b()
for(const e of this.a)
if(e.R){const a=await n.C({last:e.R}).catch(i)
e.R=0
e.offset=a.offset
a.forEach((o,s)=>this.a.has(e)&&t(e.k,o,{offset:s+1<a.length?undefined:a.offset}))}
if(this.S==='now')return
for(const e of this.a)if(e.offset==='now')e.offset=(await n.b().catch(i)).offset}}
class b{em=new Map()
constructor(e,t,{data,id=c(),onerror}={}){Object.assign(this,{e:e,k:t,eh:data,eI:onerror,id})}
update(e){this.eh=e
if(this.e.i===this)this.e.c?.send(`\n${JSON.stringify({presence:e})}`)}
close(){if(this.e.i!==this)return
this.e.i=undefined
this.e.g()}
F(e){t(this.eI,e)}
async B(){const t=(this.L=[])
const e=[]
let count
try{for(let after,page;!page||after;after=page.next){page=await(await this.e.n.l({presence:'',limit:1000,after})).json()
e.push(...page.members)
;({count}=page)}}catch(n){if(n.permanent)this.F(n)
return}
if(this.L!==t)return
const a=new Set(e.map(({id})=>id))
this.L=undefined
this.Y({join:e,leave:[...this.em.keys()].filter(id=>!a.has(id)),count})
for(const i of t)this.Y(i)}
Y(e){const{em:members}=this
if(this.L)return void this.L.push(e)
const join=e.join.filter(({id,data})=>JSON.stringify(data)!==JSON.stringify(members.get(id))||!members.has(id))
const leave=e.leave.filter(id=>members.delete(id))
for(const{id,data}of join)members.set(id,data)
if(join.length||leave.length)t(this.k,{members,count:e.count,join,leave})}}
async function y(e,o){const{n:t,i:n,eg:i}=e
const a=t.Q({...(i?{offset:e.o.S}:{read:0}),producer:e.d.et,token:await t.J(),...(n&&{presence:JSON.stringify(n.eh)??'',member:n.id})})
a.protocol=a.protocol.replace('http','ws')
const r=await new Promise(s=>v(e,o,new e.s.WebSocket(a.href,['duplex.v1']),s))
e.c=e.ef=undefined
e.d.ec()
if(r?.code==='blocked'&&i)
await t.l({offset:'now',live:'long-poll'},{headers:{Prefer:'wait=0'}})
return r}
function v(n,y,r,w){const{n:h,o:s,d:c,s:{silence_ms}}=n
let heard=Date.now()
let d={}
const l=error=>{clearInterval(k)
r.onopen=r.onmessage=r.onclose=null
r.close()
w(error)}
const g=()=>n.c&&r.send('\n{"ping":0}')
const k=setInterval(()=>{const f=(Date.now()-heard)*(n.c?1:3)
if(f>silence_ms)l(n.c?e('silence'):a('no WebSocket'))
else if(f>silence_ms/2)g()},silence_ms/6)
const x=t=>{if(t.ack)c.es(t.ack,t)
else if(t.error)c.es(t.error)
else if(t.error===null)n.i?.F(o(t.status,t))
else if(t.gap)s.G(t.gap)
else if(t.caught_up)s.H(t.caught_up,'websocket',(n.eb=true))
else if(t.closed)d={code:'closed'}
else if(t.reconnect)d=t.reconnect
else if(t.count>=0)n.i?.Y(t)}
const closed=({code,reason})=>{if(d.code)return new DuplexError('closed')
if(!n.c)return a('no WebSocket')
if(code===1009)c.ei=0
if(code>4400)return o(code-4000,{detail:reason,...(code===4404&&{code:'deleted'})})
return e(`closed with ${code} ${reason}`,d)}
const i=u=>{const{data}=u
const p=typeof data==='string'
if(data===undefined)l(closed(u))
else if(data[0]==='\n')x(JSON.parse(data))
else if(p&&!h.t){s.eA=true
l()}else{const m=p?data:new Uint8Array(data)
const b=m.indexOf(p?'\n':10)
s.M(decode('text/',m.slice(0,b)),decode(h.t,m.slice(b+1)))}}
y.signal.onabort=()=>l()
r.binaryType='arraybuffer'
r.onclose=i
r.onerror=()=>{}
r.onmessage=u=>{heard=Date.now()
i(u)}
r.onopen=()=>{if(r.protocol!=='duplex.v1')return l(a('no stream'))
heard=Date.now()
n.c=r
n.ey=true
n.V=0
n.ef=()=>{heard=Math.min(heard,Date.now()-silence_ms/2)
g()}
s.j('catching_up',{door:'websocket'})
n.i?.B()
c.p()}}
const r=(e,t,n)=>{clearTimeout(e.eR)
e.eR=t&&setTimeout(()=>e.abort(n),t)}
async function w(t,n){const{silence_ms}=t.s
const o=a('no events')
r(n,silence_ms/3,o)
const s=await t.n.l({offset:t.o.S},{headers:{Accept:'text/event-stream'},signal:n.signal})
const u=s.headers.get('Stream-SSE-Data-Encoding')==='base64'
const p=s.body.getReader()
const m=new TextDecoder()
for(let l='',c;;c=true){const{value,done}=await p.read()
if(done)return c?e('the end'):o
r(n,silence_ms*2,e('silence'))
const d=(l+m.decode(value,{stream:true})).split('\n\n')
l=d.pop()
for(const h of d)await i(t,n,h,u)}}
async function i({n:n,o:e},o,s,l){const t={}
for(const[,a,r]of s.matchAll(/^(\w+): ?(.*)$/gm))t[a]=a in t?`${t[a]}\n${r}`:r
const{event,id,data}=t
if(data===undefined)return
if(!event&&!n.t)await n.b()
if(o.signal.aborted)return
if(event==='closed')throw new DuplexError('closed')
if(event==='gap')e.G(JSON.parse(data))
if(!event)return e.M(id,decode(n.t,l?Uint8Array.from(atob(data),c=>c.charCodeAt(0)):data))
e.H(id,'sse')
e.j('live',{door:'sse'})}
async function k(u,c){const{n:s,o:a}=u
for(let cursor;;){const offset=a.S
const p=n(s.t)&&[...a.a].every(l=>l.offset===offset)
r(c,u.s.silence_ms*2,e('silence'))
const o=await s.l({offset,live:'long-poll',cursor,limit:p?undefined:1},{signal:c.signal,headers:offset==='now'?{Prefer:'wait=0'}:{}}).catch(d=>{if(!d.earliest)throw d
a.G({requested:offset,earliest:d.earliest,lost:null},false)})
if(!o)continue
const i=o.status===200?await s.ee(o):Object.assign([],s.z(o))
if(c.signal.aborted)return
cursor=o.headers.get('Stream-Cursor')??undefined
if(i.length===1)a.M(i.offset,i[0])
else for(const l of[...a.a])for(const m of i)if(a.a.has(l))t(l.k,m,{})
a.H(i.offset,'long-poll',i.Z)
if(i.closed)throw new DuplexError('closed')}}
const x={websocket:y,sse:w,'long-poll':k}
class j{m=0
ev=0
V=0
ey=false
eb=false
h=false
w=false
W=new Set()
constructor(t,e){this.s=e
this.K=e.doors.filter(n=>n!=='websocket'||e.WebSocket)
this.n=new m(t,e)
this.o=new f(this)
this.d=new h(this)}
get A(){return this.K[this.m]==='websocket'}
get eg(){return this.o.a.size>0||!!this.i}
get I(){return!this.w&&(this.eg||(this.A&&this.d.ej))}
g(){this.eO?.abort()
this.X?.()}
P(t,n){const e=setTimeout(()=>{this.W.delete(e)
n()},t)
this.W.add(e)}
eS(){this.w=true
this.i=undefined
this.o.f('stopped')
for(const{reject}of this.d.r.splice(0))reject(new DuplexError('stopped'))
this.W.forEach(clearTimeout)
this.g()}
ed(t,{after_ms,retry_ms=0}){const{retry_ms:n,retry_max_ms:e}=this.s
const a=globalThis.document?.visibilityState==='hidden'
return after_ms??retry_ms+Math.random()*(a?e:Math.min(e,n*2**t))}
async U(){if(this.h||!this.I)return
this.h=true
const{document:n=new EventTarget()}=globalThis
const e=()=>{if(n.visibilityState==='hidden')return
this.X?.()
this.ef?.()}
globalThis.addEventListener?.('online',e)
n.addEventListener('visibilitychange',e)
for(let a=0;this.I;){const i=Date.now()
const t=await this.eL()
if(Date.now()-i>5000)a=0
if(t&&!this.eC(t))await this.eD(this.ed(a++,t),t)}
globalThis.removeEventListener?.('online',e)
n.removeEventListener('visibilitychange',e)
this.h=false
this.d.p()}
async eL(){const t=(this.eO=new AbortController())
const a=this.ev-Date.now()
if(a<=0)this.m=0
const door=this.K[this.m]
const i=this.m?[setTimeout(()=>t.abort(),a)]:[]
this.o.j('connecting',{door})
let error
try{await this.o.eN()
if(this.i&&!this.A)i.push(setInterval(()=>this.i?.B(),10000),this.i.B())
if(!t.signal.aborted)error=await x[door](this,t)}catch(n){error=n instanceof DuplexError?n:e(String(n))}
i.forEach(clearTimeout)
r(t)
this.o.x=''
const{aborted,reason}=t.signal
t.abort()
return aborted?reason.code&&reason instanceof DuplexError&&reason:error}
eC(e){const{code}=e
const t=code==='deleted'||(code==='gone'&&!e.earliest)||(code==='not_found'&&this.eb)
if(code==='closed')this.f('closed')
else if(t)this.f('deleted',new DuplexError('deleted',e))
else if(e.permanent)this.f('refused',e)
else if(code!=='blocked')return false
else if(this.A&&this.ey&&++this.V<3)return false
else{this.ev=Date.now()+60000*Math.min(++this.V,30)
this.m=(this.m+1)%this.K.length
this.d.p()
return this.m>0}
return true}
f(t,e){if(e)this.i?.F(e)
this.i=undefined
this.o.f(t,e)}
async eD(e,error){this.o.j('waiting',{error,retry_ms:e})
await new Promise(t=>{this.X=t
this.P(e,t)})
this.X=undefined}}
class Stream{#line
constructor(e,t){this.#line=new j(e,{WebSocket:globalThis.WebSocket,fetch:(...n)=>fetch(...n),doors:['websocket','sse','long-poll'],retry_ms:1000,retry_max_ms:30000,silence_ms:30000,queue_max:1000,...t})}
get url(){return this.#line.n.q.href}
info(){return this.#line.n.b()}
create(e){return this.#line.n.ew(e)}
last(e=1){return this.#line.n.C({last:e})}
history(e='-1'){return this.#line.n.ek(e)}
publish(e){return this.#line.d.ex(e)}
subscribe(e,t={}){if(this.#line.w)throw new DuplexError('stopped')
return this.#line.o.eE(e,t)}
presence(t,n){const e=this.#line
if(e.w)throw new DuplexError('stopped')
e.i=new b(e,t,n)
if(e.h)e.g()
e.U()
return e.i}
close(){this.#line.eS()}}
return{Stream,DuplexError}})()
