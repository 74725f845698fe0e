// Duplex, MIT
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
const c=()=>[...crypto.getRandomValues(new Uint32Array(3))].map(e=>e.toString(36)).join('')
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
this.o=e.type}
async Q(){const{token}=this.s
return typeof token==='function'?token():token}
Z(e){const n=new URL(this.j)
for(const t in e)if(e[t]!==undefined)n.searchParams.set(t,e[t])
return n}
async l(n,{headers,...a}={}){const t=await this.Q()
const e=await this.s.fetch(this.Z(n),{signal:AbortSignal.timeout(30000),...a,headers:{...(t&&{Authorization:`Bearer ${t}`}),...this.s.headers,...headers}}).catch(u)
if(e.ok)return e
const{type,...i}=await e.json().catch(()=>({}))
const of=r=>e.headers.get(r)??undefined
throw o(e.status,{title:e.statusText,...i,...(of('Stream-Closed')&&{code:'closed'}),retry_ms:of('Retry-After')*1000||0,expected:of('Producer-Expected-Seq')})}
q({headers}){return{type:headers.get('Content-Type')??undefined,offset:headers.get('Stream-Next-Offset'),closed:headers.has('Stream-Closed'),ee:headers.has('Stream-Up-To-Date')}}
z(e){this.ex=true
return(this.o=e)}
async y(){const{type,offset,closed}=this.q(await this.l({},{method:'HEAD'}))
this.z(type)
return{type,offset,closed}}
async ej(e=this.o??'application/json'){await this.l({},{method:'PUT',headers:{'Content-Type':e}})
this.z(e)}
async et(n){const a=this.q(n)
const e=new Uint8Array(await n.arrayBuffer().catch(u))
const type=this.z(a.type)
return Object.assign(t(type)?decode(type,e):e.length?[decode(type,e)]:[],a)}
async D(e){return this.et(await this.l(e))}
eq(offset){const t=n=>this.D({offset:n})
return{offset,async*[Symbol.asyncIterator](){for(let e={};!e.ee;this.offset=e.offset)yield*e=await t(this.offset)}}}}
class h{en=c()
E=0
v=0
i=[]
u=0
w=0
T=false
U=false
ea=0
ei=0
er=16000
constructor(e){this.e=e
this.t=e.t}
ez(data){return new Promise((resolve,reject)=>{const e=this.e.s.queue_max
if(this.e.k)throw new DuplexError('stopped')
if(this.i.length>=e)throw new DuplexError('busy',{detail:`${e} wait`})
if(encode('',data)===undefined)throw new TypeError('nothing to publish')
this.i.push({data,resolve,reject})
clearTimeout(this.N)
this.N=0
if(this.ei++)this.e.P()
this.p()})}
get eE(){return this.ei>1&&(this.i.length>0||this.N>0)}
p(){const{e:t,i:e}=this
if(!e.length||this.eo||this.T||this.U)return
const n=({data})=>(data?.byteLength??JSON.stringify(data).length)<this.er
const{ex:a,o:i}=this.t
if(t.c&&a)
while(this.u<Math.min(e.length,64)&&n(e[this.u]))this.eT(i)
if(this.w)return
if(!a||!t.h||!t.A||!n(e[0]))this.es()}
eT(t){const e=`${this.E}.${this.v+this.u}\n`
const data=encode(t,this.i[this.u].data)
this.u++
this.w++
this.e.c.send(typeof data==='string'?e+data:Uint8Array.of(...new TextEncoder().encode(e),...data))}
el(t,e){this.w--
if(!e)this.T=true
else if(t===`${this.E}.${this.v}`){this.u--
this.ec(e)}
if(!this.w&&this.T){this.ed()
this.es()}else this.p()}
ed(){this.u=this.w=0
this.T=false}
ec({offset,duplicate}){this.v++
this.ea=0
this.i.shift().resolve(duplicate?{duplicate}:{offset})
if(this.i.length)return
this.N=1
this.e.M(5000,()=>{if(this.i.length)return
this.N=0
if(!this.e.I)this.e.g()})}
async es(){const{t:e,i:[n]}=this
if(!n)return
const r=!e.o
this.U=true
try{const a=e.o??d(n.data)
const data=encode(a,n.data)
const o=typeof data==='string'
const l=await e.l({},{method:'POST',body:t(a)&&o?`[${data}]`:data,headers:{'Content-Type':s(a)&&!o?d(data):a,'Producer-Id':this.en,'Producer-Epoch':`${this.E}`,'Producer-Seq':`${this.v}`}})
e.z(a)
if(n===this.i[0])this.ec({...e.q(l),duplicate:l.status===204})}catch(i){if(r&&i.code==='conflict'&&!i.expected)await e.y().catch(()=>{})
if(n===this.i[0]&&!(r&&e.o))this.eN(i)}
this.U=false
this.p()}
eN(e){if(e.permanent||!(e instanceof DuplexError)){if(e.expected===undefined)this.i.shift().reject(e)
this.E++
this.v=0
return}
this.eo=1
this.e.M(this.e.eu(this.ea++,e),()=>{this.eo=0
this.p()})}}
class g{constructor(e,{offset='now',last,onstate,ongap},close){Object.assign(this,{R:e,offset,O:last,ep:onstate,em:ongap,close,state:''})}
S(state,e={}){if(state===this.state&&state!=='waiting')return
this.state=state
if(this.ep)n(this.ep,state,e)
else if(e.isFinal&&e.error)setTimeout(()=>{throw e.error})}}
class f{n=new Set()
f=''
constructor(e){this.e=e}
eA(a,i){const{e:n,f:t}=this
const e=new g(a,i,()=>this.eI(e))
if(t&&e.offset==='now'&&!e.O)e.offset=t
this.n.add(e)
if(t&&e.offset===t)e.S('live')
else if(n.h)n.g()
n.P()
return e}
eI(e){if(!this.n.delete(e))return
e.S('stopped')
if(!this.e.I)this.e.g()}
x(e,t){if(e==='live')this.e.eh=true
for(const n of this.n)n.S(e,t)}
b(e,error){const t=[...this.n]
this.n.clear()
for(const n of t)n.S(e,{error,isFinal:true})}
H(offset,t){if(this.f)this.f=offset
for(const e of this.n)
if(e.offset==='now'||offset>e.offset){e.offset=offset
n(e.R,t,{offset})}}
eg(e,a=[...this.n]){for(const t of a)
e.forEach((i,r)=>{const offset=r+1<e.length?undefined:(t.offset=e.offset)
if(this.n.has(t))n(t.R,i,{offset})})}
G(offset,door,t){if(t)this.f=offset
for(const e of this.n)if(e.offset==='now'||(e.offset!=='-1'&&offset>e.offset))e.offset=offset
this.x(t?'live':'catching_up',{door})}
F(e,a=e.lost===null){for(const t of this.n)
if(a||t.offset===e.requested||t.offset<e.earliest){t.offset=e.earliest
if(t.em)n(t.em,e)
else console.warn('Duplex: a gap',e)}}
get L(){return[...this.n].map(e=>e.offset).sort()[0]??'now'}
async eR(){const t=this.e.t
const n=a=>{if(a.status!==404)throw a
return Object.assign([],{offset:'-1'})}
if(this.eO&&!t.o)await t.y()
for(const e of this.n)
if(e.O){const i=await t.D({last:e.O}).catch(n)
e.O=0
e.offset=i.offset
this.eg(i,[e])}
if(this.L==='now')return
for(const e of this.n)if(e.offset==='now')e.offset=(await t.y().catch(n)).offset}}
class b{ef=new Map()
constructor(e,t,{data,id=c(),onerror}={}){Object.assign(this,{e:e,R:t,eb:data,eS:onerror,id})}
update(e){this.eb=e
if(this.e.a===this)this.e.c?.send(`\n${JSON.stringify({presence:e})}`)}
close(){if(this.e.a!==this)return
this.e.a=undefined
this.e.g()}
B(e){n(this.eS,e)}
async Y(){const t=(this.C=[])
const e=[]
let count
try{for(let after,page;!page||after;after=page.next){page=await(await this.e.t.l({presence:'',limit:1000,after})).json()
e.push(...page.members)
;({count}=page)}}catch(n){if(n.permanent)this.B(n)}
if(this.C!==t)return
this.C=undefined
if(count===undefined)return
const a=new Set(e.map(({id})=>id))
this.V({join:e,leave:[...this.ef.keys()].filter(id=>!a.has(id)),count})
for(const i of t)this.V(i)}
V(e){const{ef:members}=this
if(this.C)return void this.C.push(e)
const join=e.join.filter(({id,data})=>JSON.stringify(data)!==JSON.stringify(members.get(id))||!members.has(id))
const leave=e.leave.filter(id=>members.delete(id))
for(const{id,data}of join)members.set(id,data)
if(join.length||leave.length)n(this.R,{members,count:e.count,join,leave})}}
async function y(e,o){const{t:t,a:n,ey:i}=e
const a=t.Z({...(i?{offset:e.r.L}:{read:0}),producer:e.d.en,token:await t.Q(),...(n&&{presence:JSON.stringify(n.eb)??'',member:n.id})})
a.protocol=a.protocol.replace('http','ws')
const r=await new Promise(s=>v(e,o,new e.s.WebSocket(a.href,['duplex.v1']),s))
e.c=e.ev=undefined
e.d.ed()
if(r?.code==='blocked'&&i)
await t.l({offset:'now',live:'long-poll'},{headers:{Prefer:'wait=0'}})
return r}
function v(n,y,r,w){const{t:h,r:s,d:c,s:{silence_ms}}=n
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
else if(t.error===null)n.a?.B(o(t.status,t))
else if(t.gap)s.F(t.gap)
else if(t.caught_up)s.G(t.caught_up,'websocket',true)
else if(t.closed)d={code:'closed'}
else if(t.reconnect)d=t.reconnect
else if(t.count>=0)n.a?.V(t)}
const closed=({code,reason})=>{if(d.code)return new DuplexError('closed')
if(!n.c)return a('no WebSocket')
if(code===1009)c.er=0
if(code>4400)return o(code-4000,{detail:reason,...(code===4404&&{code:'deleted'})})
return e(`closed with ${code} ${reason}`,d)}
const i=u=>{const{data}=u
const p=typeof data==='string'
if(data===undefined)l(closed(u))
else if(data[0]==='\n')x(JSON.parse(data))
else if(p&&!h.o){s.eO=true
l()}else{const m=p?data:new Uint8Array(data)
const b=m.indexOf(p?'\n':10)
s.H(decode('text/',m.slice(0,b)),decode(h.o,m.slice(b+1)))}}
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
n.W=0
n.ev=()=>{heard=Math.min(heard,Date.now()-silence_ms/2)
g()}
s.x('catching_up',{door:'websocket'})
n.a?.Y()
c.p()}}
const r=(e,t,n)=>{clearTimeout(e.eL)
e.eL=t&&setTimeout(()=>e.abort(n),t)}
async function w(t,n){const{silence_ms}=t.s
const o=a('no events')
r(n,silence_ms/3,o)
const s=await t.t.l({offset:t.r.L},{headers:{Accept:'text/event-stream'},signal:n.signal})
const u=s.headers.get('Stream-SSE-Data-Encoding')==='base64'
const p=s.body.getReader()
const m=new TextDecoder()
for(let l='',c;;c=true){const{value,done}=await p.read()
if(done)return c?e('the end'):o
r(n,silence_ms*2,e('silence'))
const d=(l+m.decode(value,{stream:true})).split('\n\n')
l=d.pop()
for(const h of d)await i(t,n,h,u)}}
async function i({t:n,r:e},o,s,l){const t={}
for(const[,a,r]of s.matchAll(/^(\w+): ?(.*)$/gm))t[a]=a in t?`${t[a]}\n${r}`:r
const{event,id,data}=t
if(data===undefined)return
if(!event&&!n.o)await n.y()
if(o.signal.aborted)return
if(event==='closed')throw new DuplexError('closed')
if(event==='gap')e.F(JSON.parse(data))
if(!event)return e.H(id,decode(n.o,l?Uint8Array.from(atob(data),c=>c.charCodeAt(0)):data))
e.G(id,'sse')
e.x('live',{door:'sse'})}
async function k(c,s){const{t:o,r:n}=c
for(let cursor;;){const offset=n.L
const d=t(o.o)&&[...n.n].every(u=>u.offset===offset)
r(s,c.s.silence_ms*2,e('silence'))
const i=await o.l({offset,live:'long-poll',cursor,limit:d?undefined:1},{signal:s.signal,headers:n.f?{}:{Prefer:'wait=0'}}).catch(l=>{if(!l.earliest)throw l
n.F({requested:offset,earliest:l.earliest,lost:null},false)})
if(!i)continue
const a=i.status===200?await o.et(i):Object.assign([],o.q(i))
if(s.signal.aborted)return
cursor=i.headers.get('Stream-Cursor')??undefined
if(a.length===1)n.H(a.offset,a[0])
else n.eg(a)
n.G(a.offset,'long-poll',a.ee)
if(a.closed)throw new DuplexError('closed')}}
const x={websocket:y,sse:w,'long-poll':k}
class j{m=0
ek=0
W=0
ew=false
eh=false
h=false
k=false
K=new Set()
constructor(t,e){this.s=e
this.X=e.doors.filter(n=>n!=='websocket'||e.WebSocket)
this.t=new m(t,e)
this.r=new f(this)
this.d=new h(this)}
get A(){return this.X[this.m]==='websocket'}
get ey(){return this.r.n.size>0||!!this.a}
get I(){return!this.k&&(this.ey||(this.A&&this.d.eE))}
g(){this.eC?.abort()
this.J?.()}
M(t,n){const e=setTimeout(()=>{this.K.delete(e)
n()},t)
this.K.add(e)}
eD(){this.k=true
this.a=undefined
this.r.b('stopped')
for(const{reject}of this.d.i.splice(0))reject(new DuplexError('stopped'))
this.K.forEach(clearTimeout)
this.g()}
eu(t,{after_ms,retry_ms=0}){const{retry_ms:n,retry_max_ms:e}=this.s
const a=globalThis.document?.visibilityState==='hidden'
return after_ms??retry_ms+Math.random()*(a?e:Math.min(e,n*2**t))}
async P(){if(this.h||!this.I)return
this.h=true
const{document:n=new EventTarget()}=globalThis
const e=()=>{if(n.visibilityState==='hidden')return
this.J?.()
this.ev?.()}
globalThis.addEventListener?.('online',e)
n.addEventListener('visibilitychange',e)
for(let a=0;this.I;){const i=Date.now()
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
const door=this.X[this.m]
const i=this.m?[setTimeout(()=>t.abort(),a)]:[]
this.r.x('connecting',{door})
let error
try{await this.r.eR()
if(this.a&&!this.A)i.push(setInterval(()=>this.a?.Y(),10000),this.a.Y())
if(!t.signal.aborted)error=await x[door](this,t)}catch(n){error=n instanceof DuplexError?n:e(String(n))}
i.forEach(clearTimeout)
r(t)
this.r.f=''
const{aborted,reason}=t.signal
t.abort()
return aborted?reason.code&&reason instanceof DuplexError&&reason:error}
eP(e){const{code}=e
const t=code==='deleted'||(code==='gone'&&!e.earliest)||(code==='not_found'&&this.eh)
if(code==='closed')this.b('closed')
else if(t)this.b('deleted',new DuplexError('deleted',e))
else if(e.permanent)this.b('refused',e)
else if(code!=='blocked')return false
else if(this.A&&this.ew&&++this.W<3)return false
else{this.ek=Date.now()+60000*Math.min(++this.W,30)
this.m=(this.m+1)%this.X.length
this.d.p()
return this.m>0}
return true}
b(t,e){if(e)this.a?.B(e)
this.a=undefined
this.r.b(t,e)}
async eM(e,error){this.r.x('waiting',{error,retry_ms:e})
await new Promise(t=>{this.J=t
this.M(e,t)})
this.J=undefined}}
class Stream{#line
constructor(e,t){this.#line=new j(e,{WebSocket:globalThis.WebSocket,fetch:(...n)=>fetch(...n),doors:['websocket','sse','long-poll'],retry_ms:1000,retry_max_ms:30000,silence_ms:30000,queue_max:1000,...t})}
get url(){return this.#line.t.j.href}
info(){return this.#line.t.y()}
create(e){return this.#line.t.ej(e)}
last(e=1){return this.#line.t.D({last:e})}
history(e='-1'){return this.#line.t.eq(e)}
publish(e){return this.#line.d.ez(e)}
subscribe(e,t={}){if(this.#line.k)throw new DuplexError('stopped')
return this.#line.r.eA(e,t)}
presence(t,n){const e=this.#line
if(e.k)throw new DuplexError('stopped')
e.a=new b(e,t,n)
if(e.h)e.g()
e.P()
return e.a}
close(){this.#line.eD()}}
export{Stream,DuplexError}
