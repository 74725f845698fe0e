// Duplex, MIT
let h={400:'bad_request',401:'unauthorized',403:'forbidden',404:'not_found',409:'conflict',410:'gone',413:'too_large',415:'wrong_type',429:'too_many',503:'unavailable'}
class DuplexError extends Error{constructor(code,e){super(e?.detail||e?.title||code)
Object.assign(this,{status:0,title:'',detail:''},e,{name:'DuplexError',code})}
get permanent(){let{status}=this
return status>=400&&status<500&&status!==408&&status!==429}}
let o=(status,e)=>new DuplexError(e.code??h[status]??(status<500?'refused':'failed'),{...e,status}),e=(detail,t)=>new DuplexError('offline',{detail,...t}),a=detail=>new DuplexError('blocked',{detail}),t=e=>/^application\/json\b|^[^;]*\+json\b/i.test(e),s=e=>t(e)||/^text\//i.test(e),l=e=>ArrayBuffer.isView(e)||e instanceof ArrayBuffer,c=()=>[0,0].map(Math.random).join(''),n=(e,...t)=>{try{e?.(...t)}catch(a){setTimeout(()=>{throw a})}},decode=(e,n)=>{if(s(e)&&l(n))n=new TextDecoder().decode(n)
return t(e)?JSON.parse(n):n},encode=(e,n)=>{if(n instanceof ArrayBuffer)return new Uint8Array(n)
if(l(n))return new Uint8Array(n.buffer,n.byteOffset,n.byteLength)
if(t(e)||typeof n!=='string')return JSON.stringify(n)
return s(e)?n:new TextEncoder().encode(n)},d=e=>l(e)?'application/octet-stream':typeof e==='string'?'text/plain':'application/json',u=t=>{throw t instanceof DuplexError?t:e(String(t?.cause?.message??t))}
class g{constructor(e,t){this.x=new URL(e,globalThis.location?.href)
this.x.protocol=this.x.protocol.replace(/^ws/,'http')
this.s=t
this.r=t.type}
async Q(){let{token}=this.s
return typeof token==='function'?token():token}
Z(e){let t=new URL(this.x)
for(let n in e)if(e[n]!==void 0)t.searchParams.set(n,e[n])
return t}
async l(e,{headers,...t}={}){let n=await this.Q(),a=await this.s.fetch(this.Z(e),{signal:AbortSignal.timeout(30000),...t,headers:{...(n&&{Authorization:`Bearer ${n}`}),...this.s.headers,...headers}}).catch(u)
if(a.ok)return a
let{type,...i}=await a.json().catch(()=>({})),of=r=>a.headers.get(r)??void 0
throw o(a.status,{title:a.statusText,...i,...(of('Stream-Closed')&&{code:'closed'}),retry_ms:of('Retry-After')*1000||0,expected:of('Producer-Expected-Seq')})}
j({headers}){return{type:headers.get('Content-Type')??void 0,offset:headers.get('Stream-Next-Offset'),closed:headers.has('Stream-Closed'),ee:headers.has('Stream-Up-To-Date')}}
q(e){this.ej=!0
return(this.r=e)}
async y(){let{type,offset,closed}=this.j(await this.l({},{method:'HEAD'}))
this.q(type)
return{type,offset,closed}}
async eq(e=this.r??'application/json'){await this.l({},{method:'PUT',headers:{'Content-Type':e}})
this.q(e)}
async et(e){let n=this.j(e),a=new Uint8Array(await e.arrayBuffer().catch(u)),type=this.q(n.type)
return Object.assign(t(type)?decode(type,a):a.length?[decode(type,a)]:[],n)}
async L(e){return this.et(await this.l(e))}
ez(offset){let e=t=>this.L({offset:t})
return{offset,async*[Symbol.asyncIterator](){for(let n={};!n.ee;this.offset=n.offset)
yield*n=await e(this.offset)}}}}
class f{en=c()
z=0
v=0
o=[]
u=0
w=0
E
C
ea=0
ei=0
er=16000
constructor(e){this.e=e
this.t=e.t}
eE(data){return new Promise((resolve,reject)=>{let e=this.e.D.s.queue_max
if(this.o.length>=e)throw new DuplexError('busy',{detail:`${e} wait`})
if(encode('',data)===void 0)throw new TypeError('nothing to publish')
this.o.push({data,resolve,reject})
if(this.ei++)this.e.U()
this.p()})}
get eT(){return this.ei>1&&(this.o.length>0||this.eo)}
p(){let{e:e,o:t}=this
if(!t.length||this.es||this.E||this.C)return
let n=({data})=>(data?.byteLength??JSON.stringify(data).length)<this.er,{ej:a,r:i}=this.t
if(e.c&&a)
while(this.u<Math.min(t.length,64)&&n(t[this.u]))this.eN(i)
if(this.w)return
if(!a||!e.h||!e.T||!n(t[0]))this.el()}
eN(e){let t=`${this.z}.${this.v+this.u}\n`,data=encode(e,this.o[this.u].data)
this.u++
this.w++
this.e.c.send(typeof data==='string'?t+data:Uint8Array.of(...encode('',t),...data))}
ec(e,t){this.w--
if(!t)this.E=!0
else if(e===`${this.z}.${this.v}`){this.u--
this.ed(t)}
if(!this.w&&this.E){this.eu()
this.el()}else this.p()}
eu(){this.u=this.w=0
this.E=!1}
ed({offset,duplicate}){this.v++
this.ea=0
this.o.shift().resolve(duplicate?{duplicate}:{offset})
if(this.o.length)return
this.eo=!0
this.e.P('linger',5000,()=>{this.eo=!1
if(!this.e.N)this.e.g()})}
async el(){let{t:e,o:[n]}=this
if(!n)return
let a=!e.r
this.C=!0
try{let i=e.r??d(n.data),data=encode(i,n.data),r=typeof data==='string',o=await e.l({},{method:'POST',body:t(i)&&r?`[${data}]`:data,headers:{'Content-Type':s(i)&&!r?d(data):i,'Producer-Id':this.en,'Producer-Epoch':`${this.z}`,'Producer-Seq':`${this.v}`}})
e.q(i)
let{offset}=e.j(o)
if(n===this.o[0])this.ed({offset,duplicate:o.status===204})}catch(l){if(a&&l.code==='conflict'&&!l.expected)await e.y().catch(()=>{})
if(n===this.o[0]&&!(a&&e.r))this.eA(l)}
this.C=!1
this.p()}
eA(e){if(e.permanent||!(e instanceof DuplexError)){if(e.expected===void 0)this.o.shift().reject(e)
this.z++
this.v=0
return}
this.es=!0
this.e.P('hold',this.e.ep(this.ea++,e),()=>{this.es=!1
this.p()})}}
class b{constructor(e,{offset='now',last,onstate,ongap},close){Object.assign(this,{A:e,offset,I:last,em:onstate,eh:ongap,close,state:''})}
R(state,e={}){if(state===this.state&&state!=='waiting')return
this.state=state
if(this.em)n(this.em,state,e)
else if(e.isFinal&&e.error)setTimeout(()=>{throw e.error})}}
class y{n=new Set()
f=''
constructor(e){this.e=e}
eI(e,t){let{e:n,f:a}=this,i=new b(e,t,()=>this.eR(i))
if(a&&i.offset==='now'&&!i.I)i.offset=a
this.n.add(i)
if(a&&i.offset===a)i.R('live')
else if(n.h)n.g()
n.U()
return i}
eR(e){if(!this.n.delete(e))return
e.R('stopped')
if(!this.e.N)this.e.g()}
k(e,t){if(e==='live')this.e.eg=!0
for(let n of this.n)n.R(e,t)}
b(e,error){let t=[...this.n]
this.n.clear()
for(let n of t)n.R(e,{error,isFinal:!0})}
M(offset,e){if(this.f)this.f=offset
for(let t of this.n)
if(t.offset==='now'||offset>t.offset){t.offset=offset
n(t.A,e,{offset})}}
ef(e,t=[...this.n]){for(let a of t)
e.forEach((i,r)=>{let offset=r+1<e.length?void 0:(a.offset=e.offset)
if(this.n.has(a))n(a.A,i,{offset})})}
H(offset,door,e){if(e)this.f=offset
for(let t of this.n)
if(t.offset==='now'||(t.offset!=='-1'&&offset>t.offset))t.offset=offset
this.k(e?'live':'catching_up',{door})}
G(e,t=e.lost===null){for(let a of this.n)
if(t||a.offset===e.requested||a.offset<e.earliest){a.offset=e.earliest
if(a.eh)n(a.eh,e)
else console.warn('Duplex: a gap',e)}}
get O(){return[...this.n].map(e=>e.offset).sort()[0]??'now'}
async eO(){let e=this.e.t,t=n=>{if(n.status!==404)throw n
return Object.assign([],{offset:'-1'})}
if(this.eS&&!e.r)await e.y()
for(let a of this.n)
if(a.I){let i=await e.L({last:a.I}).catch(t)
a.I=0
a.offset=i.offset
this.ef(i,[a])}
if(this.O==='now')return
for(let a of this.n)
if(a.offset==='now')a.offset=(await e.y().catch(t)).offset}}
class v{eb=new Map()
constructor(e,t,{data,id=c(),onerror}={}){Object.assign(this,{e:e,A:t,ey:data,eL:onerror,id})}
update(e){this.ey=e
if(this.e.a===this)this.e.c?.send(`\n${JSON.stringify({presence:e})}`)}
close(){if(this.e.a!==this)return
this.e.a=void 0
this.e.g()}
F(e){n(this.eL,e)}
async B(){let e=(this.S=[]),t=[]
let page
try{do{page=await(await this.e.t.l({presence:'',limit:1000,after:page?.next})).json()
t.push(...page.members)}while(page.next)}catch(n){page=void 0
if(n.permanent)this.F(n)}
if(this.S!==e)return
this.S=void 0
if(page){let a=new Set(t.map(({id})=>id))
this.Y({join:t,leave:[...this.eb.keys()].filter(id=>!a.has(id)),count:page.count})}
for(let i of e)this.Y(i)}
Y(e){let{eb:members}=this
if(this.S)return void this.S.push(e)
let t=JSON.stringify,join=e.join.filter(({id,data})=>!members.has(id)||t(data)!==t(members.get(id))),leave=e.leave.filter(id=>members.delete(id))
for(let{id,data}of join)members.set(id,data)
if(join.length||leave.length)n(this.A,{members,count:e.count,join,leave})}}
async function w(e,t){let{t:n,a:a,ev:i}=e,r=n.Z({...(i?{offset:e.i.O}:{read:0}),producer:e.d.en,token:await n.Q(),...(a&&{presence:JSON.stringify(a.ey)??'',member:a.id})})
r.protocol=r.protocol.replace('http','ws')
let o=new e.s.WebSocket(r.href,['duplex.v1']),s=await new Promise(l=>k(e,t,o,l))
e.c=e.ew=void 0
e.d.eu()
if(s?.code==='blocked'&&i)
await n.l({offset:'now',live:'long-poll'},{headers:{Prefer:'wait=0'}})
return s}
function k(t,n,r,s){let{t:l,i:c,d:d,s:{silence_ms}}=t
let heard=Date.now()
let u={}
let p=error=>{clearInterval(m)
r.onopen=r.onmessage=r.onclose=null
r.close()
s(error)},h=()=>t.c&&r.send('\n{"ping":0}'),m=setInterval(()=>{let g=(Date.now()-heard)*(t.c?1:3)
if(g>silence_ms)p(t.c?e('silence'):a('no WebSocket'))
else if(g>silence_ms/2)h()},silence_ms/6),f=b=>{if(b.ack)d.ec(b.ack,b)
else if(b.error)d.ec(b.error)
else if(b.error===null)t.a?.F(o(b.status,b))
else if(b.gap)c.G(b.gap)
else if(b.caught_up)c.H(b.caught_up,'websocket',!0)
else if(b.closed)u={code:'closed'}
else if(b.reconnect)u=b.reconnect
else if(b.count>=0)t.a?.Y(b)},closed=({code,reason})=>{if(u.code)return new DuplexError('closed')
if(!t.c)return a('no WebSocket')
if(code===1009)d.er=0
if(code>4400)return o(code-4000,{detail:reason,...(code===4404&&{code:'deleted'})})
return e(`closed with ${code} ${reason}`,u)},i=y=>{let{data}=y,v=typeof data==='string'
if(data===void 0)p(closed(y))
else if(data[0]==='\n')f(JSON.parse(data))
else if(v&&!l.r){c.eS=!0
p()}else{let w=v?data:new Uint8Array(data),x=w.indexOf(v?'\n':10)
c.M(decode('text/',w.slice(0,x)),decode(l.r,w.slice(x+1)))}}
n.signal.onabort=()=>p()
r.binaryType='arraybuffer'
r.onclose=i
r.onerror=()=>{}
r.onmessage=y=>{heard=Date.now()
i(y)}
r.onopen=()=>{if(r.protocol!=='duplex.v1')return p(a('no stream'))
heard=Date.now()
t.c=r
t.ek=!0
t.V=0
t.ew=()=>{heard=Math.min(heard,Date.now()-silence_ms/2)
h()}
c.k('catching_up',{door:'websocket'})
t.a?.B()
d.p()}}
let r=(e,t,n)=>{clearTimeout(e.eC)
e.eC=t&&setTimeout(()=>e.abort(n),t)}
async function x(t,n){let{silence_ms}=t.s,o=a('no events')
r(n,silence_ms/3,o)
let headers={Accept:'text/event-stream'},s=await t.t.l({offset:t.i.O},{headers,signal:n.signal,cache:'no-store'}),l=s.headers.get('Stream-SSE-Data-Encoding')==='base64',c=s.body.getReader(),d=new TextDecoder()
for(let u='',p;;p=!0){let{value,done}=await c.read()
if(done)return p?e('the end'):o
r(n,silence_ms*2,e('silence'))
let m=(u+d.decode(value,{stream:!0})).split('\n\n')
u=m.pop()
for(let h of m)await i(t,n,h,l)}}
async function i({t:e,i:t},n,a,r){let o={}
for(let s of a.split('\n')){let[,l,c]=/^(\w+): ?([^]*)$/.exec(s)??[]
if(l)o[l]=l in o?`${o[l]}\n${c}`:c}
let{event,id,data}=o
if(data===void 0)return
if(!event&&!e.r)await e.y()
if(n.signal.aborted)return
if(event==='closed')throw new DuplexError('closed')
if(event==='gap')t.G(JSON.parse(data))
if(!event){let d=r?Uint8Array.from(atob(data),u=>u.charCodeAt(0)):data
return t.M(id,decode(e.r,d))}
t.H(id,'sse')
t.k('live',{door:'sse'})}
async function j(n,a){let{t:i,i:o}=n
for(let cursor;;){let offset=o.O,s=t(i.r)&&[...o.n].every(l=>l.offset===offset)
r(a,n.s.silence_ms*2,e('silence'))
let c=await i.l({offset,live:'long-poll',cursor,limit:s?void 0:1},{signal:a.signal,headers:o.f?{}:{Prefer:'wait=0'}}).catch(d=>{if(!d.earliest)throw d
o.G({requested:offset,earliest:d.earliest,lost:null},!1)})
if(!c)continue
let u=c.status===200?await i.et(c):Object.assign([],i.j(c))
if(a.signal.aborted)return
cursor=c.headers.get('Stream-Cursor')??void 0
if(u.length===1)o.M(u.offset,u[0])
else o.ef(u)
o.H(u.offset,'long-poll',u.ee)
if(u.closed)throw new DuplexError('closed')}}
let q={websocket:w,sse:x,'long-poll':j},p=()=>globalThis.document?.visibilityState==='hidden',m=(e,t)=>['online','visibilitychange'].forEach(n=>globalThis[`${e}EventListener`]?.(n,t))
class z{m=0
ex=0
V=0
ek
eg
h
W
K={}
constructor(e,t){this.s=t
this.X=t.doors.filter(n=>n!=='websocket'||t.WebSocket)
this.t=new g(e,t)
this.i=new y(this)
this.d=new f(this)}
get T(){return this.X[this.m]==='websocket'}
get ev(){return this.i.n.size||this.a}
get N(){return!this.W&&(this.ev||(this.T&&this.d.eT))}
get D(){if(this.W)throw new DuplexError('stopped')
return this}
g(){this.eD?.abort()
this.J?.()}
P(e,t,n){clearTimeout(this.K[e])
this.K[e]=setTimeout(n,t)}
eU(){this.W=!0
this.a=void 0
this.i.b('stopped')
for(let{reject}of this.d.o.splice(0))reject(new DuplexError('stopped'))
Object.values(this.K).forEach(clearTimeout)
this.g()}
ep(e,{after_ms,retry_ms=0}){let{retry_ms:t,retry_max_ms:n}=this.s
return after_ms??retry_ms+Math.random()*(p()?n:Math.min(n,t*2**e))}
async U(){if(this.h||!this.N)return
this.h=!0
let e=()=>{if(p())return
this.J?.()
this.ew?.()}
m('add',e)
for(let t=0;this.N;){let n=Date.now(),a=await this.eP()
if(Date.now()-n>5000)t=0
if(a&&!this.eM(a))await this.eH(this.ep(t++,a),a)}
m('remove',e)
this.h=!1
this.d.p()}
async eP(){let t=(this.eD=new AbortController()),n=this.ex-Date.now()
if(n<=0)this.m=0
let door=this.X[this.m],a=this.m?[setTimeout(()=>t.abort(),n)]:[]
this.i.k('connecting',{door})
let error
try{await this.i.eO()
if(!this.T)a.push(setInterval(()=>this.a?.B(),10000),this.a?.B())
if(!t.signal.aborted)error=await q[door](this,t)}catch(i){error=i instanceof DuplexError?i:e(String(i))}
a.forEach(clearTimeout)
r(t)
this.i.f=''
let{aborted,reason}=t.signal
t.abort()
return aborted?reason.code&&reason instanceof DuplexError&&reason:error}
eM(e){let{code}=e,t=(code==='gone'&&!e.earliest)||(code==='not_found'&&this.eg)
if(code==='closed')this.b('closed')
else if(t||code==='deleted')this.b('deleted',new DuplexError('deleted',e))
else if(e.permanent)this.b('refused',e)
else if(code!=='blocked')return !1
else if(this.T&&this.ek&&++this.V<3)return !1
else{this.ex=Date.now()+60000*Math.min(++this.V,30)
this.m=(this.m+1)%this.X.length
this.d.p()
return this.m>0}
return !0}
b(e,t){if(t)this.a?.F(t)
this.a=void 0
this.i.b(e,t)}
async eH(e,error){this.i.k('waiting',{error,retry_ms:e})
await new Promise(t=>{this.J=t
this.P('pause',e,t)})
this.J=void 0}}
class Stream{#line
constructor(e,t){this.#line=new z(e,{WebSocket:globalThis.WebSocket,fetch:(...n)=>fetch(...n),doors:['websocket','sse','long-poll'],retry_ms:1000,retry_max_ms:30000,silence_ms:30000,queue_max:1000,...t})}
get url(){return this.#line.t.x.href}
info(){return this.#line.t.y()}
create(e){return this.#line.t.eq(e)}
last(e=1){return this.#line.t.L({last:e})}
history(e='-1'){return this.#line.t.ez(e)}
publish(e){return this.#line.d.eE(e)}
subscribe(e,t={}){return this.#line.D.i.eI(e,t)}
presence(e,t){let n=this.#line.D
n.a=new v(n,e,t)
if(n.h)n.g()
n.U()
return n.a}
close(){this.#line.eU()}}
export{Stream,DuplexError}
