// A typed turn with OpenAI's SDK for JavaScript. node openai.mjs BASE_URL; prints the reply.
// The SDK always opens wss://; createConnection lets it speak to a server without TLS.
import net from 'node:net';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none' });
const realtime = new OpenAIRealtimeWS({ model: 'local', options: { createConnection: net.connect } }, client);
realtime.on('session.created', () => {
  realtime.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } });
  realtime.send({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Name a river.' }] },
  });
  realtime.send({ type: 'response.create' });
});
realtime.on('response.output_text.delta', (event) => process.stdout.write(event.delta));
realtime.on('response.done', () => realtime.close());
