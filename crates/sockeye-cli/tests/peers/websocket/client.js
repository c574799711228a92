const WebSocket = require("ws");
const url = process.argv.at(-1);
const open = (then) => {
  const ws = new WebSocket(url, ["a", "b"], { perMessageDeflate: false });
  ws.on("open", () => then(ws));
  ws.on("error", (error) => console.log("error", error.message));
};
open((ws) => {
  console.log("subprotocol", ws.protocol);
  const messages = ["text", Buffer.from("binary"), "", ["in ", "pieces"], "x".repeat(1 << 20), Buffer.alloc(1 << 20, 255)];
  const whole = (message) => Buffer.from(Array.isArray(message) ? message.join("") : message);
  const next = () => {
    if (!messages.length) return ws.ping("there?");
    if (!Array.isArray(messages[0])) return ws.send(messages[0]);
    messages[0].forEach((piece, at) => ws.send(piece, { fin: at == 1 }));
  };
  ws.on("message", (data, isBinary) => {
    const same = whole(messages.shift()).equals(data);
    console.log(isBinary ? "bytes" : "str", data.length, same ? "same" : "other");
    next();
  });
  ws.on("pong", (data) => { console.log("pong"); ws.close(); });
  ws.on("close", (code, reason) => {
    // ws says what it heard, and a Close without a code comes back as such.
    console.log("closed", code == 1005 ? 1000 : code, reason.toString());
    open((ws) => {
      ws.on("close", (code) => console.log("closed", code));
      ws.close(4001, "why");
    });
  });
  next();
});
