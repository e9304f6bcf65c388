"use strict";

// Server-sent events: one button listens and stops.
for (const button of document.querySelectorAll("[data-events]")) {
  const out = document.getElementById(button.getAttribute("aria-controls"));
  let source;
  button.addEventListener("click", () => {
    if (source) {
      source.close();
      source = undefined;
      button.textContent = "Listen";
      out.textContent = "stopped";
      return;
    }
    source = new EventSource(button.dataset.events);
    button.textContent = "Stop";
    out.textContent = "waiting";
    source.onmessage = (e) => { out.textContent = e.data; };
    source.onerror = () => { out.textContent = "the stream broke; the browser tries again"; };
  });
}

// WebSocket: the first message opens the connection.
for (const button of document.querySelectorAll("[data-echo]")) {
  const out = document.getElementById(button.getAttribute("aria-controls"));
  let socket, sent = 0;
  const send = () => socket.send("message " + (++sent));
  button.addEventListener("click", () => {
    if (socket && socket.readyState === WebSocket.OPEN) return send();
    const url = new URL(button.dataset.echo, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onopen = send;
    socket.onmessage = (e) => { out.textContent = "came back: " + e.data; };
    socket.onclose = () => { out.textContent = "closed"; };
  });
}
