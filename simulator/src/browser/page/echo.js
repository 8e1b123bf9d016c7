// An Echo in a browser: calls by WebRTC, through the simulator's sessions of CallSignaling.
// The simulator tells the page what happens by long polls; the page says what the person does by the routes of sessions.

const at = (id) => document.getElementById(id);
// How long gathering may take before the offer goes out with the candidates that there are.
const GATHER_MS = 4000;

let token = '';
let page = null;
let microphone = null;
let certificates = [];
let call = null;

// -- the control API

async function ask(method, path, body, options = {}) {
  const reply = await fetch(path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
    ...options,
  });
  const text = await reply.text();
  const json = text ? JSON.parse(text) : {};
  if (!reply.ok) {
    throw Object.assign(new Error(json.detail || reply.statusText), { status: reply.status });
  }
  return json;
}

const act = (what, sdp) =>
  ask('POST', `sim/v1/sessions/${encodeURIComponent(call.session)}/${what}`, sdp ? { sdp } : {});

// -- what the person sees

function show(state, buttons = []) {
  at('state').textContent = state;
  for (const button of at('acts').children) button.hidden = !buttons.includes(button.id);
  for (const control of document.querySelectorAll('#contacts button, #dial button')) control.disabled = call !== null;
}

function tell(error) {
  at('problem').hidden = !error;
  at('problem').textContent = error ? String(error.message || error) : '';
}

const talking = () =>
  show(`Talking with ${call.name}`, ['hold', 'restart', 'hangup']);

// -- media

async function microphoneOf(clean) {
  const audio = { echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
  return navigator.mediaDevices.getUserMedia({ audio });
}

async function certificateOf(kind) {
  const algorithm = kind === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
    : { name: 'ECDSA', namedCurve: 'P-256' };
  return RTCPeerConnection.generateCertificate(algorithm);
}

function connection() {
  const peer = new RTCPeerConnection({ certificates });
  peer.addEventListener('track', (event) => {
    at('audio').srcObject = new MediaStream([event.track]);
  });
  return peer;
}

// An Echo does not trickle: descriptions go out when all candidates are known.
async function gathered(peer) {
  if (peer.iceGatheringState !== 'complete') {
    await new Promise((done) => {
      peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && done());
      setTimeout(done, GATHER_MS);
    });
  }
  return peer.localDescription.sdp;
}

async function offer(options) {
  await call.peer.setLocalDescription(await call.peer.createOffer(options));
  return gathered(call.peer);
}

async function answerTo(sdp) {
  await call.peer.setRemoteDescription({ type: 'offer', sdp });
  await call.peer.setLocalDescription();
  return gathered(call.peer);
}

const direction = (wanted) => {
  for (const transceiver of call.peer.getTransceivers()) transceiver.direction = wanted;
};

// -- calls

async function dial(to, name) {
  call = { peer: connection(), session: null, name };
  show(`Calling ${name} …`);
  call.peer.addTrack(microphone.getAudioTracks()[0], microphone);
  const sdp = await offer();
  const begun = await ask('POST', 'sim/v1/sessions', { to, device: page.device, sdp });
  // What happened to the session meanwhile waits for its name.
  call.session = begun.sessionId;
  show(`Calling ${name} …`, ['hangup']);
  for (const event of call.early ?? []) await happened(event);
}

async function answer() {
  show(`Answering ${call.name} …`, ['hangup']);
  call.peer = connection();
  call.peer.addTrack(microphone.getAudioTracks()[0], microphone);
  await act('answer', await answerTo(call.offer));
}

// Hold, resume and another network: an offer of ours, whose answer comes as an event.
async function renew(what, wanted, options) {
  const before = call.peer.getTransceivers().map((transceiver) => transceiver.direction)[0];
  direction(wanted);
  try {
    await act(what, await offer(options));
    call.waits = what;
  } catch (error) {
    // Both sides offered at once, or the call is over: all stays as it was.
    direction(before);
    if (call.peer.signalingState === 'have-local-offer') await call.peer.setLocalDescription({ type: 'rollback' });
    throw error;
  }
}

async function hangUp(what) {
  // Said before the connection is closed: the other side must not take its end for a failure.
  try {
    if (call.session) await act(what);
  } finally {
    over();
  }
}

function over(reason) {
  call?.peer?.close();
  call = null;
  at('audio').srcObject = null;
  show(reason ? `Over: ${reason}` : 'Ready');
}

// -- what the simulator tells

async function happened(event) {
  if (event.event === 'incoming' && !call) {
    call = { session: event.session, name: event.from || 'somebody', offer: event.offer };
    show(`${call.name} calls`, ['answer', 'decline']);
    return;
  }
  if (call && !call.session) {
    (call.early ??= []).push(event);
    return;
  }
  if (call?.session !== event.session) return;
  switch (event.event) {
    case 'ringing':
      show(`${call.name} rings`, ['hangup']);
      break;
    case 'answer':
      await call.peer.setRemoteDescription({ type: 'answer', sdp: event.sdp });
      if (call.waits === 'hold') show(`${call.name} is on hold`, ['resume', 'hangup']);
      else if (call.waits) talking();
      delete call.waits;
      break;
    case 'offer':
      await act('respond', await answerTo(event.sdp));
      break;
    case 'accepted':
      talking();
      break;
    case 'ended':
      over(event.code === 'SUCCESS' ? 'hung up' : event.code);
      break;
  }
}

async function listen() {
  let after = 0;
  for (;;) {
    let events;
    try {
      ({ events } = await ask('GET', `sim/v1/browser/${page.page}/events?after=${after}`));
    } catch (error) {
      if (error.status) {
        over();
        at('phone').hidden = true;
        at('on').hidden = false;
        return tell(error);
      }
      // The network, or the simulator starts again: ask a little later.
      await new Promise((done) => setTimeout(done, 1000));
      continue;
    }
    for (const event of events) {
      after = event.number;
      await happened(event).catch(tell);
    }
  }
}

// -- the beginning

async function switchOn() {
  token = at('token').value.trim() || token;
  microphone = await microphoneOf(at('processing').checked);
  certificates = [await certificateOf(at('certificate').value)];
  // The customer allows the skill to act for them, as they would in the Alexa app.
  const granted = await ask('POST', 'sim/v1/grant', {});
  if (granted.status !== 200) throw new Error(`the skill did not take the grant: ${granted.problem || granted.status}`);
  page = await ask('POST', 'sim/v1/browser', {});
  sessionStorage.setItem('token', token);
  at('on').hidden = true;
  at('phone').hidden = false;
  const buttons = page.contacts.map(({ name, to }) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = `Call ${name}`;
    button.addEventListener('click', doing(() => dial(to, name)));
    const item = document.createElement('li');
    item.append(button);
    return item;
  });
  at('contacts').replaceChildren(...buttons);
  show('Ready');
  listen();
}

// Runs what a person asked for, and tells them if it fails.
const doing = (act) => async (event) => {
  event?.preventDefault();
  tell(null);
  try {
    await act();
  } catch (error) {
    tell(error);
    if (call && !call.session) over();
  }
};

const dialled = (text) => ({ type: /^\+\d+$/.test(text) ? 'PHONE_NUMBER' : 'RAW_ADDRESS', value: text });

at('on').addEventListener('submit', doing(switchOn));
at('dial').addEventListener('submit', doing(() => dial(dialled(at('to').value.trim()), at('to').value.trim())));
at('answer').addEventListener('click', doing(answer));
at('decline').addEventListener('click', doing(() => hangUp('decline')));
at('hold').addEventListener('click', doing(() => renew('hold', 'sendonly')));
at('resume').addEventListener('click', doing(() => renew('resume', 'sendrecv')));
at('restart').addEventListener('click', doing(() => renew('update', 'sendrecv', { iceRestart: true })));
at('hangup').addEventListener('click', doing(() => hangUp('hangup')));

// The link of `skillcall browser` carries the token behind the #, which no server sees; it does not stay in the address.
token = new URLSearchParams(location.hash.slice(1)).get('token') || sessionStorage.getItem('token') || '';
if (location.hash) history.replaceState(null, '', location.pathname);
at('token-row').hidden = token !== '';

// Who closes the page hangs up and gives the device back.
addEventListener('pagehide', () => {
  const last = { keepalive: true };
  if (call?.session) ask('POST', `sim/v1/sessions/${encodeURIComponent(call.session)}/hangup`, {}, last).catch(() => {});
  if (page) ask('DELETE', `sim/v1/browser/${page.page}`, undefined, last).catch(() => {});
});
