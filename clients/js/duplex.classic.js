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
const t=e=>/^application\/json\b|^[^;]*\+json\b/i.test(e)
const s=e=>t(e)||/^text\//i.test(e)
const l=e=>ArrayBuffer.isView(e)||e instanceof ArrayBuffer
const c=()=>[0,0].map(()=>Math.random().toString(36).slice(2)).join('')
const n=(e,...t)=>{try{e?.(...t)}catch(a){setTimeout(()=>{throw a})}}
const decode=(n,e)=>{if(s(n)&&l(e))e=new TextDecoder().decode(e)
return t(n)?JSON.parse(e):e}
const encode=(n,e)=>{if(e instanceof ArrayBuffer)return new Uint8Array(e)
if(l(e))return new Uint8Array(e.buffer,e.byteOffset,e.byteLength)
if(t(n)||typeof e!=='string')return JSON.stringify(e)
return s(n)?e:new TextEncoder().encode(e)}
const d=e=>l(e)?'application/octet-stream':typeof e==='string'?'text/plain':'application/json'
const u=t=>{throw t instanceof DuplexError?t:e(String(t?.cause?.message??t))}
class m{constructor(t,e){this.j=new URL(t,globalThis.location?.href)
this.j.protocol=this.j.protocol.replace(/^ws/,'http')
this.s=e
this.r=e.type}
async J(){const{token}=this.s
return typeof token==='function'?token():token}
Q(e){const n=new URL(this.j)
for(const t in e)if(e[t]!==undefined)n.searchParams.set(t,e[t])
return n}
async l(n,{headers,...a}={}){const t=await this.J()
const e=await this.s.fetch(this.Q(n),{signal:AbortSignal.timeout(30000),...a,headers:{...(t&&{Authorization:`Bearer ${t}`}),...this.s.headers,...headers}}).catch(u)
if(e.ok)return e
const{type,...i}=await e.json().catch(()=>({}))
const of=r=>e.headers.get(r)??undefined
throw o(e.status,{title:e.statusText,...i,...(of('Stream-Closed')&&{code:'closed'}),retry_ms:of('Retry-After')*1000||0,expected:of('Producer-Expected-Seq')})}
q({headers}){return{type:headers.get('Content-Type')??undefined,offset:headers.get('Stream-Next-Offset'),closed:headers.has('Stream-Closed'),Z:headers.has('Stream-Up-To-Date')}}
z(e){this.ex=true
return(this.r=e)}
async y(){const{type,offset,closed}=this.q(await this.l({},{method:'HEAD'}))
this.z(type)
return{type,offset,closed}}
async ej(e=this.r??'application/json'){await this.l({},{method:'PUT',headers:{'Content-Type':e}})
this.z(e)}
async ee(n){const a=this.q(n)
const e=new Uint8Array(await n.arrayBuffer().catch(u))
const type=this.z(a.type)
return Object.assign(t(type)?decode(type,e):e.length?[decode(type,e)]:[],a)}
async C(e){return this.ee(await this.l(e))}
eq(offset){const t=n=>this.C({offset:n})
return{offset,async*[Symbol.asyncIterator](){for(let e={};!e.Z;this.offset=e.offset)
yield*e=await t(this.offset)}}}}
class h{et=c()
E=0
v=0
o=[]
u=0
w=0
T=false
D=false
en=0
ea=0
ei=16000
constructor(e){this.e=e
this.t=e.t}
ez(data){return new Promise((resolve,reject)=>{const e=this.e.s.queue_max
if(this.e.k)throw new DuplexError('stopped')
if(this.o.length>=e)throw new DuplexError('busy',{detail:`${e} wait`})
if(encode('',data)===undefined)throw new TypeError('nothing to publish')
this.o.push({data,resolve,reject})
if(this.ea++)this.e.U()
this.p()})}
get eE(){return this.ea>1&&(this.o.length>0||this.er)}
p(){const{e:t,o:e}=this
if(!e.length||this.eo||this.T||this.D)return
const n=({data})=>(data?.byteLength??JSON.stringify(data).length)<this.ei
const{ex:a,r:i}=this.t
if(t.c&&a)
while(this.u<Math.min(e.length,64)&&n(e[this.u]))this.eT(i)
if(this.w)return
if(!a||!t.h||!t.N||!n(e[0]))this.es()}
eT(t){const e=`${this.E}.${this.v+this.u}\n`
const data=encode(t,this.o[this.u].data)
this.u++
this.w++
this.e.c.send(typeof data==='string'?e+data:Uint8Array.of(...encode('',e),...data))}
el(t,e){this.w--
if(!e)this.T=true
else if(t===`${this.E}.${this.v}`){this.u--
this.ec(e)}
if(!this.w&&this.T){this.ed()
this.es()}else this.p()}
ed(){this.u=this.w=0
this.T=false}
ec({offset,duplicate}){this.v++
this.en=0
this.o.shift().resolve(duplicate?{duplicate}:{offset})
if(this.o.length)return
this.er=true
this.e.P('linger',5000,()=>{this.er=false
if(!this.e.A)this.e.g()})}
async es(){const{t:e,o:[n]}=this
if(!n)return
const r=!e.r
this.D=true
try{const a=e.r??d(n.data)
const data=encode(a,n.data)
const o=typeof data==='string'
const l=await e.l({},{method:'POST',body:t(a)&&o?`[${data}]`:data,headers:{'Content-Type':s(a)&&!o?d(data):a,'Producer-Id':this.et,'Producer-Epoch':`${this.E}`,'Producer-Seq':`${this.v}`}})
e.z(a)
const{offset}=e.q(l)
if(n===this.o[0])this.ec({offset,duplicate:l.status===204})}catch(i){if(r&&i.code==='conflict'&&!i.expected)await e.y().catch(()=>{})
if(n===this.o[0]&&!(r&&e.r))this.eN(i)}
this.D=false
this.p()}
eN(e){if(e.permanent||!(e instanceof DuplexError)){if(e.expected===undefined)this.o.shift().reject(e)
this.E++
this.v=0
return}
this.eo=true
this.e.P('hold',this.e.eu(this.en++,e),()=>{this.eo=false
this.p()})}}
class g{constructor(e,{offset='now',last,onstate,ongap},close){Object.assign(this,{I:e,offset,R:last,ep:onstate,em:ongap,close,state:''})}
O(state,e={}){if(state===this.state&&state!=='waiting')return
this.state=state
if(this.ep)n(this.ep,state,e)
else if(e.isFinal&&e.error)setTimeout(()=>{throw e.error})}}
class f{n=new Set()
f=''
constructor(e){this.e=e}
eA(a,i){const{e:n,f:t}=this
const e=new g(a,i,()=>this.eI(e))
if(t&&e.offset==='now'&&!e.R)e.offset=t
this.n.add(e)
if(t&&e.offset===t)e.O('live')
else if(n.h)n.g()
n.U()
return e}
eI(e){if(!this.n.delete(e))return
e.O('stopped')
if(!this.e.A)this.e.g()}
x(e,t){if(e==='live')this.e.eh=true
for(const n of this.n)n.O(e,t)}
b(e,error){const t=[...this.n]
this.n.clear()
for(const n of t)n.O(e,{error,isFinal:true})}
M(offset,t){if(this.f)this.f=offset
for(const e of this.n)
if(e.offset==='now'||offset>e.offset){e.offset=offset
n(e.I,t,{offset})}}
eg(e,a=[...this.n]){for(const t of a)
e.forEach((i,r)=>{const offset=r+1<e.length?undefined:(t.offset=e.offset)
if(this.n.has(t))n(t.I,i,{offset})})}
H(offset,door,t){if(t)this.f=offset
for(const e of this.n)
if(e.offset==='now'||(e.offset!=='-1'&&offset>e.offset))e.offset=offset
this.x(t?'live':'catching_up',{door})}
G(e,a=e.lost===null){for(const t of this.n)
if(a||t.offset===e.requested||t.offset<e.earliest){t.offset=e.earliest
if(t.em)n(t.em,e)
else console.warn('Duplex: a gap',e)}}
get S(){return[...this.n].map(e=>e.offset).sort()[0]??'now'}
async eR(){const t=this.e.t
const n=a=>{if(a.status!==404)throw a
return Object.assign([],{offset:'-1'})}
if(this.eO&&!t.r)await t.y()
for(const e of this.n)
if(e.R){const i=await t.C({last:e.R}).catch(n)
e.R=0
e.offset=i.offset
this.eg(i,[e])}
if(this.S==='now')return
for(const e of this.n)
if(e.offset==='now')e.offset=(await t.y().catch(n)).offset}}
class b{ef=new Map()
constructor(e,t,{data,id=c(),onerror}={}){Object.assign(this,{e:e,I:t,eb:data,eS:onerror,id})}
update(e){this.eb=e
if(this.e.a===this)this.e.c?.send(`\n${JSON.stringify({presence:e})}`)}
close(){if(this.e.a!==this)return
this.e.a=undefined
this.e.g()}
F(e){n(this.eS,e)}
async B(){const t=(this.L=[])
const e=[]
let count
try{for(let after,page;!page||after;after=page.next){page=await(await this.e.t.l({presence:'',limit:1000,after})).json()
e.push(...page.members)
;({count}=page)}}catch(n){if(n.permanent)this.F(n)}
if(this.L!==t)return
this.L=undefined
if(count===undefined)return
const a=new Set(e.map(({id})=>id))
this.Y({join:e,leave:[...this.ef.keys()].filter(id=>!a.has(id)),count})
for(const i of t)this.Y(i)}
Y(e){const{ef:members}=this
if(this.L)return void this.L.push(e)
const t=JSON.stringify
const join=e.join.filter(({id,data})=>!members.has(id)||t(data)!==t(members.get(id)))
const leave=e.leave.filter(id=>members.delete(id))
for(const{id,data}of join)members.set(id,data)
if(join.length||leave.length)n(this.I,{members,count:e.count,join,leave})}}
async function y(e,o){const{t:t,a:n,ey:i}=e
const a=t.Q({...(i?{offset:e.i.S}:{read:0}),producer:e.d.et,token:await t.J(),...(n&&{presence:JSON.stringify(n.eb)??'',member:n.id})})
a.protocol=a.protocol.replace('http','ws')
const s=new e.s.WebSocket(a.href,['duplex.v1'])
const r=await new Promise(l=>v(e,o,s,l))
e.c=e.ev=undefined
e.d.ed()
if(r?.code==='blocked'&&i)
await t.l({offset:'now',live:'long-poll'},{headers:{Prefer:'wait=0'}})
return r}
function v(n,y,r,w){const{t:h,i:s,d:c,s:{silence_ms}}=n
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
const x=t=>{if(t.ack)c.el(t.ack,t)
else if(t.error)c.el(t.error)
else if(t.error===null)n.a?.F(o(t.status,t))
else if(t.gap)s.G(t.gap)
else if(t.caught_up)s.H(t.caught_up,'websocket',true)
else if(t.closed)d={code:'closed'}
else if(t.reconnect)d=t.reconnect
else if(t.count>=0)n.a?.Y(t)}
const closed=({code,reason})=>{if(d.code)return new DuplexError('closed')
if(!n.c)return a('no WebSocket')
if(code===1009)c.ei=0
if(code>4400)return o(code-4000,{detail:reason,...(code===4404&&{code:'deleted'})})
return e(`closed with ${code} ${reason}`,d)}
const i=u=>{const{data}=u
const p=typeof data==='string'
if(data===undefined)l(closed(u))
else if(data[0]==='\n')x(JSON.parse(data))
else if(p&&!h.r){s.eO=true
l()}else{const m=p?data:new Uint8Array(data)
const b=m.indexOf(p?'\n':10)
s.M(decode('text/',m.slice(0,b)),decode(h.r,m.slice(b+1)))}}
y.signal.onabort=()=>l()
r.binaryType='arraybuffer'
r.onclose=i
r.onerror=()=>{}
r.onmessage=u=>{heard=Date.now()
i(u)}
r.onopen=()=>{if(r.protocol!=='duplex.v1')return l(a('no stream'))
heard=Date.now()
n.c=r
n.ew=true
n.V=0
n.ev=()=>{heard=Math.min(heard,Date.now()-silence_ms/2)
g()}
s.x('catching_up',{door:'websocket'})
n.a?.B()
c.p()}}
const r=(e,t,n)=>{clearTimeout(e.eL)
e.eL=t&&setTimeout(()=>e.abort(n),t)}
async function w(t,n){const{silence_ms}=t.s
const o=a('no events')
r(n,silence_ms/3,o)
const headers={Accept:'text/event-stream'}
const s=await t.t.l({offset:t.i.S},{headers,signal:n.signal})
const u=s.headers.get('Stream-SSE-Data-Encoding')==='base64'
const p=s.body.getReader()
const m=new TextDecoder()
for(let l='',c;;c=true){const{value,done}=await p.read()
if(done)return c?e('the end'):o
r(n,silence_ms*2,e('silence'))
const d=(l+m.decode(value,{stream:true})).split('\n\n')
l=d.pop()
for(const h of d)await i(t,n,h,u)}}
async function i({t:a,i:e},o,s,l){const t={}
for(const c of s.split('\n')){const[,n,r]=/^(\w+): ?([^]*)$/.exec(c)??[]
if(n)t[n]=n in t?`${t[n]}\n${r}`:r}
const{event,id,data}=t
if(data===undefined)return
if(!event&&!a.r)await a.y()
if(o.signal.aborted)return
if(event==='closed')throw new DuplexError('closed')
if(event==='gap')e.G(JSON.parse(data))
if(!event){const d=l?Uint8Array.from(atob(data),u=>u.charCodeAt(0)):data
return e.M(id,decode(a.r,d))}
e.H(id,'sse')
e.x('live',{door:'sse'})}
async function k(c,s){const{t:o,i:n}=c
for(let cursor;;){const offset=n.S
const d=t(o.r)&&[...n.n].every(u=>u.offset===offset)
r(s,c.s.silence_ms*2,e('silence'))
const i=await o.l({offset,live:'long-poll',cursor,limit:d?undefined:1},{signal:s.signal,headers:n.f?{}:{Prefer:'wait=0'}}).catch(l=>{if(!l.earliest)throw l
n.G({requested:offset,earliest:l.earliest,lost:null},false)})
if(!i)continue
const a=i.status===200?await o.ee(i):Object.assign([],o.q(i))
if(s.signal.aborted)return
cursor=i.headers.get('Stream-Cursor')??undefined
if(a.length===1)n.M(a.offset,a[0])
else n.eg(a)
n.H(a.offset,'long-poll',a.Z)
if(a.closed)throw new DuplexError('closed')}}
const x={websocket:y,sse:w,'long-poll':k}
class j{m=0
ek=0
V=0
ew=false
eh=false
h=false
k=false
W={}
constructor(t,e){this.s=e
this.K=e.doors.filter(n=>n!=='websocket'||e.WebSocket)
this.t=new m(t,e)
this.i=new f(this)
this.d=new h(this)}
get N(){return this.K[this.m]==='websocket'}
get ey(){return this.i.n.size>0||!!this.a}
get A(){return!this.k&&(this.ey||(this.N&&this.d.eE))}
g(){this.eC?.abort()
this.X?.()}
P(e,t,n){clearTimeout(this.W[e])
this.W[e]=setTimeout(n,t)}
eD(){this.k=true
this.a=undefined
this.i.b('stopped')
for(const{reject}of this.d.o.splice(0))reject(new DuplexError('stopped'))
Object.values(this.W).forEach(clearTimeout)
this.g()}
eu(t,{after_ms,retry_ms=0}){const{retry_ms:n,retry_max_ms:e}=this.s
const a=globalThis.document?.visibilityState==='hidden'
return after_ms??retry_ms+Math.random()*(a?e:Math.min(e,n*2**t))}
async U(){if(this.h||!this.A)return
this.h=true
const{document:n=new EventTarget()}=globalThis
const e=()=>{if(n.visibilityState==='hidden')return
this.X?.()
this.ev?.()}
globalThis.addEventListener?.('online',e)
n.addEventListener('visibilitychange',e)
for(let a=0;this.A;){const i=Date.now()
const t=await this.eU()
if(Date.now()-i>5000)a=0
if(t&&!this.eP(t))await this.eM(this.eu(a++,t),t)}
globalThis.removeEventListener?.('online',e)
n.removeEventListener('visibilitychange',e)
this.h=false
this.d.p()}
async eU(){const t=(this.eC=new AbortController())
const a=this.ek-Date.now()
if(a<=0)this.m=0
const door=this.K[this.m]
const i=this.m?[setTimeout(()=>t.abort(),a)]:[]
this.i.x('connecting',{door})
let error
try{await this.i.eR()
if(!this.N)i.push(setInterval(()=>this.a?.B(),10000),this.a?.B())
if(!t.signal.aborted)error=await x[door](this,t)}catch(n){error=n instanceof DuplexError?n:e(String(n))}
i.forEach(clearTimeout)
r(t)
this.i.f=''
const{aborted,reason}=t.signal
t.abort()
return aborted?reason.code&&reason instanceof DuplexError&&reason:error}
eP(e){const{code}=e
const t=(code==='gone'&&!e.earliest)||(code==='not_found'&&this.eh)
if(code==='closed')this.b('closed')
else if(t||code==='deleted')this.b('deleted',new DuplexError('deleted',e))
else if(e.permanent)this.b('refused',e)
else if(code!=='blocked')return false
else if(this.N&&this.ew&&++this.V<3)return false
else{this.ek=Date.now()+60000*Math.min(++this.V,30)
this.m=(this.m+1)%this.K.length
this.d.p()
return this.m>0}
return true}
b(t,e){if(e)this.a?.F(e)
this.a=undefined
this.i.b(t,e)}
async eM(e,error){this.i.x('waiting',{error,retry_ms:e})
await new Promise(t=>{this.X=t
this.P('pause',e,t)})
this.X=undefined}}
class Stream{#line
constructor(e,t){this.#line=new j(e,{WebSocket:globalThis.WebSocket,fetch:(...n)=>fetch(...n),doors:['websocket','sse','long-poll'],retry_ms:1000,retry_max_ms:30000,silence_ms:30000,queue_max:1000,...t})}
get url(){return this.#line.t.j.href}
info(){return this.#line.t.y()}
create(e){return this.#line.t.ej(e)}
last(e=1){return this.#line.t.C({last:e})}
history(e='-1'){return this.#line.t.eq(e)}
publish(e){return this.#line.d.ez(e)}
subscribe(e,t={}){if(this.#line.k)throw new DuplexError('stopped')
return this.#line.i.eA(e,t)}
presence(t,n){const e=this.#line
if(e.k)throw new DuplexError('stopped')
e.a=new b(e,t,n)
if(e.h)e.g()
e.U()
return e.a}
close(){this.#line.eD()}}
return{Stream,DuplexError}})()
