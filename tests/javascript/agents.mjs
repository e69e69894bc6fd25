// A typed turn with a tool, a spoken turn, and an interruption, with OpenAI's agents SDK for JavaScript.
// node agents.mjs URL; prints one JSON object with what it saw.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { z } from 'zod';

const url = process.argv[2];
const saw = { calls: [], replies: [], heard: [], audioBytes: 0, interrupted: 0, errors: [] };

const clock = tool({
  name: 'clock',
  description: 'The time.',
  parameters: z.object({ zone: z.string() }),
  execute: async ({ zone }) => {
    saw.calls.push(zone);
    return 'noon';
  },
});
const agent = new RealtimeAgent({ name: 'Test', instructions: 'Be brief.', tools: [clock] });
const transport = new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true });
const session = new RealtimeSession(agent, { transport, model: 'gpt-realtime', tracingDisabled: true });

const waiting = [];
let turns = 0;
function turn(number) {
  return new Promise((resolve) => (turns >= number ? resolve() : waiting.push({ number, resolve })));
}
session.on('error', (error) => saw.errors.push(String(error.error?.message ?? JSON.stringify(error.error ?? error))));
session.on('audio', (event) => (saw.audioBytes += event.data.byteLength));
session.on('audio_interrupted', () => (saw.interrupted += 1));
transport.on('*', (event) => {
  if (event.type === 'response.done' && event.response.output.some((item) => item.type === 'message')) {
    turns += 1;
    for (const each of waiting) if (turns >= each.number) each.resolve();
  }
});

function tone(seconds, level) {
  const frames = new Int16Array(24000 * seconds);
  for (let at = 0; at < frames.length; at++) frames[at] = level * Math.sin((2 * Math.PI * 220 * at) / 24000);
  return frames.buffer;
}
function speak() {
  session.sendAudio(tone(1, 20000));
  session.sendAudio(tone(1, 0));
}

await session.connect({ apiKey: 'none' });
session.sendMessage('What time is it?');
await turn(1);
speak();
await turn(2);
// The second reply is taken to be playing: interrupting truncates it.
session.interrupt();
session.sendMessage('Again.');
await turn(3);
for (const item of session.history) {
  if (item.type !== 'message') continue;
  const words = item.content.map((part) => part.text ?? part.transcript ?? '').join('');
  (item.role === 'assistant' ? saw.replies : saw.heard).push(words);
}
session.close();
console.log(JSON.stringify(saw));
