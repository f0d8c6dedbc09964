// A telephone in a page: as much of SIP over WebSocket (RFC 7118) as one call at a time needs, the browser's own sound, a sine for a
// microphone and a spectrum for an ear. The test gives orders (`/next`) and is told what happens (`/told`).

const settings = await (await fetch("/settings")).json();
const word = () => crypto.randomUUID().replaceAll("-", "").slice(0, 12);

let posts = Promise.resolve();
const tell = (event, more = {}) => {
  posts = posts.then(() => fetch("/told", { method: "POST", body: JSON.stringify({ event, ...more }) }));
};
addEventListener("unhandledrejection", ({ reason }) => tell("failed", { why: String(reason?.stack ?? reason) }));
addEventListener("error", ({ message }) => tell("failed", { why: message }));

// --- sound

const audio = new AudioContext();
const mouth = audio.createMediaStreamDestination();
const sine = audio.createOscillator();
sine.frequency.value = settings.hertz;
const gain = audio.createGain();
gain.gain.value = 0.4;
sine.connect(gain).connect(mouth);
sine.start();
await audio.resume();

let ear = null;

function listen(stream) {
  // Chromium lets a script hear a far stream only while an element plays it too.
  const element = new Audio();
  element.muted = true;
  element.srcObject = stream;
  element.play();
  const analyser = audio.createAnalyser();
  analyser.fftSize = 8192;
  analyser.smoothingTimeConstant = 0;
  audio.createMediaStreamSource(stream).connect(analyser);
  ear = { analyser, element };
}

// What is loudest, how loud it is, and how much of all sound is near it.
function heard() {
  const { analyser } = ear;
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const power = levels.map((level) => (Number.isFinite(level) ? 10 ** (level / 10) : 0));
  const at = power.reduce((best, value, index) => (value > power[best] ? index : best), 0);
  const all = power.reduce((sum, value) => sum + value, 0);
  const near = power.slice(Math.max(0, at - 6), at + 7).reduce((sum, value) => sum + value, 0);
  return { hertz: Math.round((at * audio.sampleRate) / analyser.fftSize), level: levels[at], share: all > 0 ? near / all : 0 };
}

setInterval(() => {
  if (ear) {
    const now = heard();
    if (now.level > -70) tell("hears", now);
  }
}, 200);

let peer = null;

function connect() {
  peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  peer.addTrack(mouth.stream.getAudioTracks()[0], mouth.stream);
  peer.ontrack = ({ track, streams }) => {
    tell("track", { streams: streams.length });
    listen(streams[0] ?? new MediaStream([track]));
  };
  peer.onconnectionstatechange = () => tell("connection", { state: peer.connectionState });
}

// In the way of the packets stands whom the test has put there.
async function relayed(sdp) {
  if (!settings.relay) return sdp;
  const [, address, port] = sdp.match(/a=candidate:1 1 udp \d+ (\S+) (\d+) typ host/);
  const { port: relay } = await (await fetch("/relay", { method: "POST", body: JSON.stringify({ to: `${address}:${port}` }) })).json();
  return sdp.replaceAll(`${address} ${port} typ`, `127.0.0.1 ${relay} typ`);
}

async function answer(offer) {
  await peer.setRemoteDescription({ type: "offer", sdp: await relayed(offer) });
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
}

async function offer() {
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
}

// --- messages

const host = new URL(settings.url).host;
const local = `<sip:${settings.user}@${host}>`;
const contact = `<sip:${settings.user}@${word()}.invalid;transport=ws>`;
const socket = new WebSocket(settings.url, "sip");
const asked = new Map();

function parse(text) {
  const [head, body] = [text.slice(0, text.indexOf("\r\n\r\n")), text.slice(text.indexOf("\r\n\r\n") + 4)];
  const [start, ...lines] = head.split("\r\n");
  const headers = lines.map((line) => [line.slice(0, line.indexOf(":")).trim().toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]);
  const all = (name) => headers.filter(([known]) => known === name).map(([, value]) => value);
  const status = start.startsWith("SIP/2.0 ") ? Number(start.split(" ")[1]) : null;
  return { raw: text, start, status, method: status ? null : start.split(" ")[0], all, one: (name) => all(name)[0] ?? "", body };
}

const param = (value, name) => value.match(new RegExp(`[;, ]${name}="?([^";,]+)`))?.[1];
const uriOf = (value) => value.match(/<([^>]+)>/)?.[1] ?? value;

function send(start, headers, body = "") {
  const type = body ? ["Content-Type: application/sdp"] : [];
  const lines = [start, ...headers, ...type, `Content-Length: ${new TextEncoder().encode(body).length}`];
  socket.send(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

async function sha256(text) {
  const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function credentials(challenge, method, uri) {
  const [realm, nonce, cnonce] = [param(challenge, "realm"), param(challenge, "nonce"), word()];
  const [who, what] = [await sha256(`${settings.user}:${realm}:${settings.password}`), await sha256(`${method}:${uri}`)];
  const response = await sha256(`${who}:${nonce}:00000001:${cnonce}:auth:${what}`);
  return `Digest username="${settings.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="${cnonce}", response="${response}"`;
}

// A request in a dialog, or one that begins it; the final response.
async function ask(method, dialog, body = "", more = []) {
  let proof = [];
  for (;;) {
    const branch = `z9hG4bK${word()}`;
    dialog.cseq += 1;
    const headers = [
      `Via: SIP/2.0/WSS ${word()}.invalid;branch=${branch}`,
      "Max-Forwards: 70",
      `From: ${dialog.local}`,
      `To: ${dialog.remote}`,
      `Call-ID: ${dialog.call}`,
      `CSeq: ${dialog.cseq} ${method}`,
      `Contact: ${contact}`,
      ...more,
      ...proof,
    ];
    const answered = new Promise((resolve) => asked.set(branch, resolve));
    send(`${method} ${dialog.target} SIP/2.0`, headers, body);
    const response = await answered;
    asked.delete(branch);
    if (method === "INVITE") acknowledge(dialog, response, branch);
    const name = { 401: ["www-authenticate", "Authorization"], 407: ["proxy-authenticate", "Proxy-Authorization"] }[response.status];
    if (!name || proof.length) return response;
    const challenge = response.all(name[0]).find((value) => value.includes("SHA-256"));
    if (!challenge) throw new Error(`no SHA-256: ${response.raw}`);
    proof = [`${name[1]}: ${await credentials(challenge, method, dialog.target)}`];
  }
}

function acknowledge(dialog, response, branch) {
  const good = response.status < 300;
  if (good) {
    dialog.remote = response.one("to");
    dialog.target = uriOf(response.one("contact")) || dialog.target;
  }
  send(`ACK ${dialog.target} SIP/2.0`, [
    `Via: SIP/2.0/WSS ${word()}.invalid;branch=${good ? `z9hG4bK${word()}` : branch}`,
    "Max-Forwards: 70",
    `From: ${dialog.local}`,
    `To: ${response.one("to")}`,
    `Call-ID: ${dialog.call}`,
    `CSeq: ${dialog.cseq} ACK`,
  ]);
}

function respond(request, status, tag, body = "") {
  const to = request.one("to") + (tag && !param(request.one("to"), "tag") ? `;tag=${tag}` : "");
  const same = ["call-id", "from", "cseq"].map((name) => `${name}: ${request.one(name)}`);
  const vias = request.all("via").map((via) => `Via: ${via}`);
  send(`SIP/2.0 ${status}`, [...vias, ...same, `To: ${to}`, `Contact: ${contact}`], body);
  return to;
}

// --- calls

let call = null;

function end(why) {
  tell("ended", { why });
  peer?.close();
  [peer, call, ear] = [null, null, null];
}

async function invited(request) {
  if (call) {
    if (request.one("call-id") !== call.call) return respond(request, "486 Busy Here", word());
    return respond(request, "200 OK", null, await answer(request.body));
  }
  tell("rung");
  const tag = word();
  call = { call: request.one("call-id"), target: uriOf(request.one("contact")), remote: request.one("from"), local: "", cseq: 1 };
  respond(request, "180 Ringing", tag);
  connect();
  call.local = respond(request, "200 OK", tag, await answer(request.body));
}

socket.onmessage = async ({ data }) => {
  const message = parse(data);
  if (message.status) {
    if (message.status >= 200) asked.get(param(message.one("via"), "branch"))?.(message);
    return;
  }
  if (message.method === "INVITE") return invited(message);
  if (message.method === "ACK") return undefined;
  respond(message, "200 OK", word());
  if (message.method === "BYE" && call) end("they hung up");
};

async function reoffer(event) {
  const response = await ask("INVITE", call, await offer());
  if (response.status === 200) await peer.setRemoteDescription({ type: "answer", sdp: await relayed(response.body) });
  tell(event, { status: response.status });
}

const orders = {
  async register() {
    const dialog = { call: word(), target: `sip:${host}`, local: `${local};tag=${word()}`, remote: local, cseq: 0 };
    const response = await ask("REGISTER", dialog, "", ["Expires: 600"]);
    tell("registered", { status: response.status });
  },
  async call({ to }) {
    connect();
    call = { call: word(), target: `sip:${to}@${host}`, local: `${local};tag=${word()}`, remote: `<sip:${to}@${host}>`, cseq: 0 };
    const response = await ask("INVITE", call, await offer());
    if (response.status === 200) await peer.setRemoteDescription({ type: "answer", sdp: await relayed(response.body) });
    tell("called", { status: response.status, warning: response.one("warning") });
  },
  async hold() {
    peer.getTransceivers()[0].direction = "sendonly";
    await reoffer("held");
  },
  async resume() {
    peer.getTransceivers()[0].direction = "sendrecv";
    await reoffer("resumed");
  },
  async restart() {
    const before = peer.localDescription.sdp.match(/a=ice-ufrag:(\S+)/)[1];
    peer.restartIce();
    await reoffer("restarted");
    tell("name", { fresh: before !== peer.localDescription.sdp.match(/a=ice-ufrag:(\S+)/)[1] });
  },
  press({ keys }) {
    peer.getSenders()[0].dtmf.insertDTMF(keys, 100, 100);
  },
  async count() {
    const reports = [...(await peer.getStats()).values()];
    const { packetsReceived, packetsLost, concealedSamples, totalSamplesReceived } = reports.find(({ type }) => type === "inbound-rtp");
    tell("counted", { packetsReceived, packetsLost, concealedSamples, totalSamplesReceived });
  },
  async hangup() {
    await ask("BYE", call);
    end("we hung up");
  },
};

socket.onerror = () => tell("failed", { why: "the WebSocket broke" });
socket.onopen = () => tell("open");
for (;;) {
  const response = await fetch("/next");
  if (response.status === 200) {
    const order = await response.json();
    await orders[order.do](order);
  }
}
