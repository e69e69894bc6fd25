// A spoken talk with OpenAI's agents SDK for JavaScript over WebRTC, as its guide has it. The page's test reads `saw`.
const { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession } = OpenAIAgentsRealtime;

const saw = { status: '', lines: [], kinds: [], errors: [], loudest: 0 };
let session;

function measure(stream) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    saw.loudest = Math.max(saw.loudest, ...samples.map(Math.abs));
  }, 50);
}

async function start(baseUrl, apiKey) {
  const voice = document.getElementById('voice');
  voice.addEventListener('play', () => measure(voice.srcObject), { once: true });
  const transport = new OpenAIRealtimeWebRTC({ baseUrl, audioElement: voice });
  const agent = new RealtimeAgent({ name: 'Test', instructions: 'Be brief.' });
  session = new RealtimeSession(agent, { transport, model: 'gpt-realtime' });
  session.on('error', (error) => saw.errors.push(JSON.stringify(error.error ?? error)));
  session.on('history_updated', (history) => {
    saw.lines = history
      .filter((item) => item.type === 'message')
      .map((item) => [item.role, item.content.map((part) => part.text ?? part.transcript ?? '').join('')]);
  });
  transport.on('*', (event) => saw.kinds.push(event.type));
  await session.connect({ apiKey });
  saw.status = transport.status;
  saw.callId = transport.callId;
}
