// One conversation by WebRTC. Where to call and with which short-lived key, the program behind this page says.
// Foreign text is only ever put into textContent.

const at = (id) => document.getElementById(id);
const WORDS = {
  NotAllowedError: "The browser may not use the microphone. Allow it for this page, beside the address, and start again.",
  NotFoundError: "No microphone was found. Plug one in, or choose another below, and start again.",
  NotReadableError: "The microphone cannot be opened. Another program may be using it: close that, and start again.",
  OverconstrainedError: "That microphone is gone. Choose another below, and start again.",
};
const GONE = "The program behind this page does not answer. Run realtime-cli web again and open the address it prints.";
const NO_SERVER = "The voice server cannot be reached. Check the network, and start again.";
const LOST = "The connection to the voice server was lost. Start again to go on.";
const LETTERS_PER_S = 15; // of speech in English, 150 words a minute
const GRACE_MS = 5000; // a connection may be interrupted for so long and come back

class Problem extends Error {}

let call = null;

class Call {
  lines = new Map(); // by the ids of items
  sent = []; // written before the channel was open
  responding = null;
  playing = false;
  wanted = false; // a response is to be asked for as soon as the one in progress has ended
  stoppedAt = null;
  reports = []; // one after the other; the first is on its way

  async start() {
    this.microphone = await this.listen(at("microphone").value);
    fillDevices();
    const place = await whereToCall();
    this.conversation = place.conversation;
    at("server").textContent = `${place.title} · ${place.model}`;
    this.peer = new RTCPeerConnection();
    this.sender = this.peer.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
    this.peer.addEventListener("track", (event) => this.hear(event.streams[0] ?? new MediaStream([event.track])));
    this.peer.addEventListener("connectionstatechange", () => this.watch());
    this.channel = this.peer.createDataChannel("oai-events");
    this.channel.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
    this.channel.addEventListener("open", () => this.opened());
    this.channel.addEventListener("close", () => this.lost());
    await this.peer.setLocalDescription();
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answerOf(place, this.peer.localDescription.sdp) });
  }

  async listen(deviceId) {
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (deviceId) wanted.deviceId = { exact: deviceId };
    if (!navigator.mediaDevices) throw new Problem("This browser gives no microphone to this page: open it as http://127.0.0.1.");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    stream.getAudioTracks()[0].enabled = !isMuted();
    stream.getAudioTracks()[0].addEventListener("ended", () => this.closed || tell(WORDS.OverconstrainedError));
    this.context ??= new AudioContext();
    this.mine?.stop();
    this.mine = measure(this.context, stream, at("mine"));
    return stream;
  }

  async change(deviceId) {
    const before = this.microphone;
    this.microphone = await this.listen(deviceId);
    await this.sender.replaceTrack(this.microphone.getAudioTracks()[0]);
    for (const track of before.getTracks()) track.stop();
  }

  hear(stream) {
    at("voice").srcObject = stream;
    this.theirs = measure(this.context, stream, at("theirs"));
    chooseSpeaker();
  }

  opened() {
    this.began = performance.now();
    this.clock = setInterval(() => this.tick(), 500);
    show("talking");
    for (const event of this.sent.splice(0)) this.send(event);
  }

  tick() {
    const seconds = Math.floor((performance.now() - this.began) / 1000);
    at("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  watch() {
    clearTimeout(this.grace);
    const state = this.peer.connectionState;
    if (state === "failed") this.lost();
    if (state === "disconnected") this.grace = setTimeout(() => this.lost(), GRACE_MS);
  }

  lost() {
    if (this.closed) return;
    stop();
    if (at("problem").hidden) tell(LOST);
  }

  send(event) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(event));
    else this.sent.push(event);
  }

  write(text) {
    if (this.responding) this.send({ type: "response.cancel" });
    if (this.playing) this.send({ type: "output_audio_buffer.clear" });
    const content = [{ type: "input_text", text }];
    this.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    this.stoppedAt = performance.now();
    if (this.responding) this.wanted = true;
    else this.send({ type: "response.create" });
  }

  take(event) {
    switch (event.type) {
      case "session.created":
        if (event.session.model) at("server").textContent = at("server").textContent.replace(/ · .*/, ` · ${event.session.model}`);
        this.report({ session: event.session.id ?? "", model: event.session.model ?? "" });
        break;
      case "conversation.item.added":
      case "conversation.item.created":
        this.reserve(event.item, event.previous_item_id);
        break;
      case "conversation.item.input_audio_transcription.delta":
      case "response.output_text.delta":
        this.lines.get(event.item_id)?.add(event.delta);
        break;
      case "response.output_audio_transcript.delta":
        this.lines.get(event.item_id)?.add(event.delta, { spoken: true });
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.lines.get(event.item_id)?.settle(event.transcript.trim());
        this.finish(event.item_id);
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.lines.get(event.item_id)?.settle("", "not understood");
        this.finish(event.item_id);
        break;
      case "response.output_audio_transcript.done":
        this.lines.get(event.item_id)?.settle(event.transcript);
        break;
      case "response.output_text.done":
        this.lines.get(event.item_id)?.settle(event.text);
        this.finish(event.item_id);
        break;
      case "conversation.item.truncated":
        this.lines.get(event.item_id)?.interrupt(event.audio_end_ms);
        this.send({ type: "conversation.item.retrieve", item_id: event.item_id });
        break;
      case "conversation.item.retrieved":
        this.cut(event.item);
        break;
      case "input_audio_buffer.speech_started":
        say("Listening");
        break;
      case "input_audio_buffer.speech_stopped":
        this.stoppedAt = performance.now();
        say("Thinking");
        break;
      case "response.created":
        this.responding = event.response.id;
        say("Thinking");
        break;
      case "response.done":
        this.done(event.response);
        break;
      case "output_audio_buffer.started":
        this.playing = true;
        this.playingSince = performance.now();
        say("Speaking");
        if (this.stoppedAt !== null) at("latency").textContent = `${((performance.now() - this.stoppedAt) / 1000).toFixed(1)} s`;
        this.stoppedAt = null;
        break;
      case "output_audio_buffer.stopped":
      case "output_audio_buffer.cleared":
        this.playing = false;
        if (event.type === "output_audio_buffer.stopped") this.finish(...this.lines.keys());
        say("Connected");
        break;
      case "error":
        if (event.error.code !== "response_cancel_not_active") tell(event.error.message);
        break;
    }
  }

  done(response) {
    this.responding = null;
    if (response.status === "failed") tell(response.status_details?.error?.message ?? "The voice server could not answer.");
    if (this.wanted) this.send({ type: "response.create" });
    else if (!this.playing) say("Connected");
    this.wanted = false;
  }

  reserve(item, previous) {
    if (item.type !== "message" || item.role === "system" || this.lines.has(item.id)) return;
    const line = new Line(item.id, item.role, this.lines.get(previous)?.element);
    this.lines.set(item.id, line);
    const text = (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join("");
    if (text) line.settle(text);
    if (text && item.role === "user") this.finish(item.id);
  }

  cut(item) {
    const heard = (item.content ?? []).map((part) => part.transcript ?? "").join("");
    const line = this.lines.get(item.id);
    // OpenAI forgets the words of a reply that was cut.
    if (heard) line?.settle(`${heard.trim()} …`);
    else line?.shorten(line.heardMs ?? 0);
    this.finish(item.id);
  }

  // These lines will not change any more, as far as they are whole; those that all before them are told of, are told.
  finish(...ids) {
    for (const id of ids) this.lines.get(id)?.finish();
    const lines = [];
    for (const { line } of at("lines").children) {
      if (!line.final) break;
      if (!line.told) lines.push(line);
    }
    if (lines.length) this.report({ lines: told(lines) });
  }

  report(news) {
    if (!this.conversation) return;
    this.reports.push({ conversation: this.conversation, ...news });
    if (this.reports.length === 1) this.post();
  }

  async post() {
    while (this.reports.length) {
      const body = JSON.stringify(this.reports[0]);
      await fetch("said", { method: "POST", body, keepalive: true }).catch(() => {});
      this.reports.shift();
    }
  }

  close({ leaving = false } = {}) {
    if (this.closed) return;
    this.closed = true;
    for (const line of this.lines.values()) line.stop(this.playing ? performance.now() - this.playingSince : 0);
    this.report({ lines: told([...at("lines").children].map(({ line }) => line).filter((line) => !line.told)), ended: true });
    // A page that is going waits for nothing: what is left is sent at once.
    if (leaving) for (const report of this.reports.slice(1)) navigator.sendBeacon("said", JSON.stringify(report));
    clearInterval(this.clock);
    clearTimeout(this.grace);
    this.mine?.stop();
    this.theirs?.stop();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.channel?.close();
    this.peer?.close();
    this.context?.close();
    at("voice").srcObject = null;
    for (const line of this.lines.values()) line.text.classList.remove("waiting");
  }
}

class Line {
  final = false;
  told = false;
  heardMs = null; // of a reply that was interrupted

  constructor(id, role, after) {
    this.id = id;
    this.element = document.createElement("li");
    this.element.line = this;
    this.element.className = role;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = role === "user" ? "You" : "Voice";
    this.text = document.createElement("span");
    this.text.className = "text waiting";
    this.text.dir = "auto";
    this.element.append(who, this.text);
    if (after?.isConnected) after.after(this.element);
    else at("lines").append(this.element);
    scroll();
  }

  add(delta, { spoken = false } = {}) {
    this.spoken ||= spoken;
    this.text.textContent += delta;
    scroll();
  }

  settle(text, remark = "") {
    this.text.textContent = text;
    this.text.classList.remove("waiting");
    if (remark) this.remark(remark);
    scroll();
  }

  interrupt(heardMs) {
    this.heardMs = heardMs;
    this.remark(`interrupted after ${(heardMs / 1000).toFixed(1)} s`);
  }

  // The call ends while the reply is being spoken.
  stop(heardMs) {
    if (this.final || !this.spoken || this.heardMs !== null) return;
    if (this.shorten(heardMs)) this.interrupt(Math.round(heardMs));
  }

  // Leaves about as much as can be said in that time; returns whether that is not all.
  shorten(heardMs) {
    const whole = this.text.textContent;
    const letters = Math.floor((heardMs / 1000) * LETTERS_PER_S);
    if (letters >= whole.length) return false;
    this.settle(`${whole.slice(0, whole.lastIndexOf(" ", letters) + 1).trim()} …`.trim());
    return true;
  }

  finish() {
    this.final ||= !this.text.classList.contains("waiting");
  }

  remark(text) {
    this.note ??= this.element.appendChild(Object.assign(document.createElement("span"), { className: "note" }));
    this.note.textContent = text;
  }
}

function told(lines) {
  for (const line of lines) line.told = true;
  return lines
    .filter((line) => line.text.textContent.replace("…", "").trim())
    .map((line) => ({
      who: line.element.className,
      item_id: line.id,
      text: line.text.textContent.replace(/ ?…$/, ""),
      interrupted: line.heardMs !== null,
      heard_ms: line.heardMs,
    }));
}

function scroll() {
  at("lines").scrollTop = at("lines").scrollHeight;
}

async function whereToCall() {
  const answer = await fetch("start", { method: "POST" }).catch(() => {
    throw new Problem(GONE);
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(body.error?.message ?? GONE);
  return body;
}

async function answerOf(place, sdp) {
  const headers = { Authorization: `Bearer ${place.key}`, "Content-Type": "application/sdp" };
  const answer = await fetch(place.url, { method: "POST", headers, body: sdp }).catch(() => {
    throw new Problem(NO_SERVER);
  });
  const text = await answer.text();
  if (answer.ok) return text;
  let reason = `HTTP ${answer.status}`;
  try {
    reason = JSON.parse(text).error.message;
  } catch {
    // not every server says why
  }
  if (answer.status === 401 || answer.status === 403) throw new Problem(`The voice server refused the key: ${reason}`);
  throw new Problem(`The voice server did not take the call: ${reason}`);
}

function measure(context, stream, meter) {
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
    meter.value = Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-9) + 60) / 60)); // 60 dB
  }, 80);
  return {
    stop() {
      clearInterval(timer);
      source.disconnect();
      meter.value = 0;
    },
  };
}

const isMuted = () => at("mute").getAttribute("aria-pressed") === "true";

function show(state) {
  document.documentElement.dataset.state = state;
  const on = state !== "idle";
  at("start").textContent = on ? "Stop" : "Start";
  for (const id of ["mute", "text", "send"]) at(id).disabled = !on;
  say({ idle: "Not connected", starting: "Connecting", talking: "Connected" }[state]);
}

function say(status) {
  at("status").textContent = status;
}

function tell(problem) {
  at("problem").textContent = problem;
  at("problem").hidden = false;
}

async function start() {
  at("problem").hidden = true;
  at("lines").replaceChildren();
  at("latency").textContent = "–";
  show("starting");
  const mine = (call = new Call());
  try {
    await mine.start();
  } catch (error) {
    if (call !== mine) return;
    stop();
    tell(error instanceof Problem ? error.message : (WORDS[error.name] ?? `${NO_SERVER} (${error.name})`));
  }
}

function stop() {
  call?.close();
  call = null;
  show("idle");
}

async function fillDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  for (const [id, kind] of [["microphone", "audioinput"], ["speaker", "audiooutput"]]) {
    const chosen = at(id).value;
    const found = devices.filter((device) => device.kind === kind && device.deviceId && device.deviceId !== "default");
    const options = found.map((device) => new Option(device.label || "Unnamed", device.deviceId));
    at(id).replaceChildren(new Option("System default", ""), ...options);
    at(id).value = found.some((device) => device.deviceId === chosen) ? chosen : "";
  }
  at("speaker").disabled = !("setSinkId" in HTMLMediaElement.prototype);
}

async function chooseSpeaker() {
  try {
    await at("voice").setSinkId?.(at("speaker").value);
  } catch {
    tell("That loudspeaker cannot be used: choose another.");
  }
}

at("start").addEventListener("click", () => (call ? stop() : start()));
at("mute").addEventListener("click", () => {
  const muted = !isMuted();
  at("mute").setAttribute("aria-pressed", muted);
  at("mute").textContent = muted ? "Muted" : "Mute";
  for (const track of call?.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || !call) return;
  at("text").value = "";
  call.write(text);
});
at("microphone").addEventListener("change", () =>
  call?.change(at("microphone").value).catch((error) => tell(WORDS[error.name] ?? error.message)),
);
at("speaker").addEventListener("change", chooseSpeaker);
navigator.mediaDevices?.addEventListener("devicechange", fillDevices);
window.addEventListener("pagehide", () => call?.close({ leaving: true }));
fillDevices();
