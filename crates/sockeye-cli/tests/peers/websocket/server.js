const { WebSocketServer } = require("ws");
const handleProtocols = (offered) => (offered.has("b") ? "b" : false);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols, perMessageDeflate: true });
server.on("listening", () => console.error("listening on " + server.address().port));
server.on("connection", (ws, request) => {
  ws.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    if (text == "close") ws.close(4002, "bye now");
    else if (text == "pieces") { ws.send("in ", { fin: false }); ws.send("pieces"); }
    else if (text == "ping") ws.ping("there?");
    else if (text == "who") {
      ws.send([request.url, request.headers.authorization, request.headers["x-a"], ws.protocol].join(" "));
    } else ws.send(data, { binary: isBinary });
  });
  ws.on("pong", (data) => ws.send(data.toString() == "there?" ? "pong" : "other"));
  ws.on("close", (code, reason) => console.log("closed " + code + " " + reason));
});
