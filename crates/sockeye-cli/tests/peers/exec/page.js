// What a page of another host may try: a request whose body is the wire, and a WebSocket; and then what the very server's page
// may do.
const WebSocket = require('ws');
const [plain, web, touched] = process.argv.slice(-3);

const string = (text) => [0, 0, text.length >> 8, text.length & 255, ...Buffer.from(text)];
const hello = Buffer.from([1, 0, 0, 0, 0, ...Buffer.from('sockeye-exec'), 1]);
const start = Buffer.from([2, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 1, ...string(`touch ${touched}`), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
const framed = (message) => Buffer.concat([Buffer.from([0, 0, message.length >> 8, message.length & 255]), message]);

const socket = (origin) => new Promise((resolve) => {
  const ws = new WebSocket(`ws://127.0.0.1:${web}/`, { origin });
  ws.on('open', () => { ws.send(hello); if (origin.includes('evil')) ws.send(start); });
  ws.on('message', () => { ws.close(); resolve('let in'); });
  ws.on('error', () => resolve('refused'));
  ws.on('close', () => resolve('refused'));
});

(async () => {
  const body = Buffer.concat([framed(hello), framed(start)]);
  await fetch(`http://127.0.0.1:${plain}/`, { method: 'POST', body }).then(
    () => console.log('fetch answered'), () => console.log('fetch failed'));
  console.log(`socket ${await socket('http://evil.example')}`);
  console.log(`own page ${await socket(`http://127.0.0.1:${web}`)}`);
})();
