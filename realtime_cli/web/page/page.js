// One conversation by WebRTC. The program behind this page makes the call with its key, which is never here, takes part
// in it, and runs the model's functions. Foreign text is only ever put into textContent.

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
const ENDED = "The program behind this page has ended the call. Run realtime-cli web again and open the address it prints.";
const ALONE =
  "The program behind this page has ended: functions do not run, and nothing is saved any more. Run realtime-cli web again.";
const LETTERS_PER_S = 18; // of speech, at most: about 150 words a minute are usual in English
const GRACE_MS = 5000; // a connection may be interrupted for so long and come back
const ARMING_MS = 600; // a question stands for so long before it can be granted: a press sooner was meant for the one before
const RECENT_MS = 15000; // so long ago the program may have lost its own connection to the call
const OLDER_NAMES = [
  ["response.audio_transcript.", "response.output_audio_transcript."],
  ["response.text.", "response.output_text."],
];

class Problem extends Error {}

let call = null;

class Call {
  lines = new Map(); // by the ids of items
  sent = []; // written before the channel was open
  responding = null;
  playing = false;
  wanted = false; // a response is to be asked for as soon as the one in progress has ended
  stoppedAt = null;
  recent = []; // messages but for pieces of text, with their times
  passesOn = false; // the program gets the messages from here
  untold = []; // for the program, one after the other; the first is on its way
  events = 0;

  async start() {
    this.microphone = await this.listen(at("microphone").value);
    fillDevices();
    this.peer = new RTCPeerConnection();
    this.sender = this.peer.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
    this.peer.addEventListener("track", (event) => this.hear(event.streams[0] ?? new MediaStream([event.track])));
    this.peer.addEventListener("connectionstatechange", () => this.watch());
    this.channel = this.peer.createDataChannel("oai-events");
    this.channel.addEventListener("message", (event) => this.receive(event.data));
    this.channel.addEventListener("open", () => this.opened());
    this.channel.addEventListener("close", () => this.lost());
    await this.peer.setLocalDescription();
    const begun = await ask("start", { sdp: this.peer.localDescription.sdp });
    this.id = begun.call;
    this.follow();
    if (this.closed) return this.tell({ left: true });
    at("server").textContent = [begun.title, begun.model].filter(Boolean).join(" · ");
    for (const notice of begun.notices) this.note(notice);
    for (const line of begun.past) this.showPast(line);
    this.first = begun.first;
    await this.peer.setRemoteDescription({ type: "answer", sdp: begun.sdp }).catch(() => {
      throw new Problem("The voice server answered the call with something that this browser does not understand.");
    });
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
    for (const message of this.first.splice(0)) this.channel.send(message);
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
    event.event_id = `page_${++this.events}`;
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

  receive(message) {
    const event = JSON.parse(message);
    for (const [older, name] of OLDER_NAMES) event.type = event.type.replace(older, name);
    if (this.passesOn) this.tell({ events: [message] });
    else if (!event.type.endsWith(".delta")) this.recent.push([performance.now(), message]);
    while (this.recent.length && this.recent[0][0] < performance.now() - RECENT_MS) this.recent.shift();
    this.take(event);
  }

  take(event) {
    switch (event.type) {
      case "session.created":
        if (event.session?.model) at("server").textContent = at("server").textContent.replace(/ · .*/, ` · ${event.session.model}`);
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
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.lines.get(event.item_id)?.settle("", "not understood");
        break;
      case "response.output_audio_transcript.done":
        this.lines.get(event.item_id)?.settle(event.transcript);
        break;
      case "response.output_text.done":
        this.lines.get(event.item_id)?.settle(event.text);
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
        if (event.type === "output_audio_buffer.stopped") for (const line of this.lines.values()) line.over = true;
        say("Connected");
        break;
      case "error":
        this.failed(event.error);
        break;
    }
  }

  failed(error) {
    // What the program behind this page sent is its own business.
    if (error.event_id && !error.event_id.startsWith("page_")) return;
    if (error.code === "conversation_already_has_active_response") this.wanted = true;
    else if (error.code !== "response_cancel_not_active") tell(error.message);
  }

  done(response) {
    this.responding = null;
    if (response.status === "failed") tell(response.status_details?.error?.message ?? "The voice server could not answer.");
    if (this.wanted) this.send({ type: "response.create" });
    else if (!this.playing) say("Connected");
    this.wanted = false;
  }

  reserve(item, previous) {
    if (this.lines.has(item.id) || item.id.startsWith("past_")) return;
    const after = this.lines.get(previous)?.element;
    if (item.type === "function_call_output" || item.type === "mcp_approval_response") {
      // What follows the result follows the call.
      const call = this.lines.get(item.call_id ?? item.approval_request_id);
      if (call) this.lines.set(item.id, call);
    } else if (item.type === "function_call" || item.type === "mcp_approval_request" || item.type === "mcp_call") {
      const line = this.toolLine(item.call_id ?? item.approval_request_id ?? item.id);
      // The program may have told of the call before the voice server told where it stands.
      if (!line.placed) line.place(after);
      this.lines.set(item.id, line);
    } else if (item.type === "message" && item.role !== "system") {
      const line = new Line(item.role, after);
      this.lines.set(item.id, line);
      const text = (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join("");
      if (text) line.settle(text);
    }
  }

  toolLine(callId) {
    if (!this.lines.has(callId)) this.lines.set(callId, new Line("tool"));
    return this.lines.get(callId);
  }

  showPast({ who, text, interrupted }) {
    const line = new Line(who);
    line.element.classList.add("past");
    line.settle(text, interrupted ? "interrupted" : "");
  }

  note(text) {
    new Line("notice").settle(text);
  }

  cut(item) {
    const heard = (item.content ?? []).map((part) => part.transcript ?? "").join("");
    const line = this.lines.get(item.id);
    // OpenAI forgets the words of a reply that was cut.
    if (heard) line?.settle(`${heard.trim()} …`);
    else line?.shorten(line.heardMs ?? 0);
  }

  // What the program behind this page has to tell, until the call is over for it.
  async follow() {
    for (let after = 0; ; ) {
      const answer = await ask("news", { call: this.id, after }).catch(() => null);
      if (!answer) return void (this.closed || tell(ALONE));
      after += answer.news.length;
      for (const news of answer.news) if (!this.closed) this.learn(news);
      if (answer.over) return;
    }
  }

  learn(news) {
    switch (news.type) {
      case "tool_call":
        this.toolLine(news.call_id).calls(news.text, news.server);
        break;
      case "tool_result":
        if (this.asked?.call_id === news.call_id) this.putAway();
        this.toolLine(news.call_id).ends(news.text, news.failed);
        break;
      case "question":
        this.ask(news);
        break;
      case "notice":
        this.note(news.text);
        break;
      case "recent":
        this.tell({ events: this.recent.map(([, message]) => message) });
        break;
      case "pass_on":
        this.tell({ events: this.recent.splice(0).map(([, message]) => message) });
        this.passesOn = true;
        break;
      case "send":
        if (this.channel?.readyState === "open") this.channel.send(news.message);
        else this.first.push(news.message);
        break;
      case "end":
        stop();
        if (news.problem || news.reason === "quit") tell(news.problem || ENDED);
        break;
    }
  }

  ask(question) {
    this.asked = question;
    const [first, ...rest] = question.text.split("\n");
    at("asked").textContent = first.replace(/^may /, "May ");
    at("asks").textContent = rest.map((line) => line.replace(/^ {2}/, "")).join("\n");
    at("always").textContent = question.always.replace(/^always/, "Always");
    this.arm(false);
    clearTimeout(this.arming);
    this.arming = setTimeout(() => this.arm(true), ARMING_MS);
    if (!at("question").open) at("question").showModal();
    at("asks").focus();
  }

  arm(on) {
    for (const id of ["yes", "always"]) at(id).disabled = !on;
  }

  answer(consent) {
    const question = this.asked;
    this.putAway();
    if (question) this.tell({ answer: { call_id: question.call_id, consent } });
  }

  putAway() {
    this.asked = null;
    at("question").close();
    // Chromium gives the focus back while the button is still being pressed, and takes no writing then.
    document.activeElement?.blur();
    at("text").focus();
  }

  tell(news) {
    if (!this.id) return;
    const last = this.untold.at(-1);
    // The first is on its way already.
    if (news.events && last?.events && this.untold.length > 1) last.events.push(...news.events);
    else this.untold.push({ call: this.id, ...news });
    if (this.untold.length === 1) this.post();
  }

  async post() {
    while (this.untold.length) {
      const body = JSON.stringify(this.untold[0]);
      await fetch("tell", { method: "POST", body, keepalive: body.length < 60000 }).catch(() => {});
      this.untold.shift();
    }
  }

  close({ leaving = false } = {}) {
    if (this.closed) return;
    this.closed = true;
    if (this.asked) this.putAway();
    for (const line of this.lines.values()) line.stop(this.playing ? performance.now() - this.playingSince : 0);
    this.tell({ left: true });
    // A page that is going waits for nothing: what is left is sent at once.
    if (leaving) for (const news of this.untold.slice(1)) navigator.sendBeacon("tell", JSON.stringify(news));
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
  heardMs = null; // of a reply that was interrupted

  constructor(role, after) {
    this.element = document.createElement("li");
    this.element.className = role;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = { user: "You", assistant: "Voice", tool: "Function", notice: "Note" }[role];
    this.text = document.createElement("span");
    this.text.className = "text waiting";
    this.text.dir = "auto";
    this.element.append(who, this.text);
    this.place(after);
    this.placed = after !== undefined;
  }

  place(after) {
    if (after?.isConnected) after.after(this.element);
    else at("lines").append(this.element);
    this.placed = true;
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
    if (this.over || !this.spoken || this.heardMs !== null) return;
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

  calls(text, server) {
    this.text.textContent = text;
    if (server) this.element.firstChild.textContent = `Function of ${server}`;
  }

  ends(text, failed) {
    this.text.classList.remove("waiting");
    this.element.classList.toggle("failed", failed);
    this.remark(text);
    scroll();
  }

  remark(text) {
    this.note ??= this.element.appendChild(Object.assign(document.createElement("span"), { className: "note" }));
    this.note.textContent = text;
  }
}

function scroll() {
  at("lines").scrollTop = at("lines").scrollHeight;
}

// Asks the program behind this page.
async function ask(what, question) {
  const answer = await fetch(what, { method: "POST", body: JSON.stringify(question) }).catch(() => {
    throw new Problem(GONE);
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(capital(body.error?.message ?? GONE));
  return body;
}

// A sentence; addresses stay as they are.
const capital = (text) => (/^\w+:\/\//.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1));

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
  at("problem").textContent = capital(problem);
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
for (const [id, consent] of [["yes", "yes"], ["always", "always"], ["no", "no"]])
  at(id).addEventListener("click", () => call?.answer(consent));
at("question").addEventListener("cancel", (event) => {
  event.preventDefault();
  call?.answer("no");
});
navigator.mediaDevices?.addEventListener("devicechange", fillDevices);
window.addEventListener("resize", scroll);
window.addEventListener("pagehide", () => call?.close({ leaving: true }));
fillDevices();
